/** A service whose zones are directories below one, for tests that change or break them. */
import {join} from 'node:path';
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  DescribeDBClustersCommand,
  RDSClient,
  waitUntilDBInstanceAvailable,
} from '@aws-sdk/client-rds';
import {pino} from 'pino';
import {sleep, systemClock} from '../../src/base/clock.ts';
import {openService, type Service as Client} from '../../src/cli/service.ts';
import type {ZoneReport} from '../../src/cluster/control-plane.ts';
import {startService, type Service} from '../../src/server.ts';

export const PASSWORD = 'correct-horse-battery';
const CHANGE_MS_MAX = 120_000;

export class ZoneService {
  readonly #root: string;
  readonly #runtime: 'native' | 'pglite';
  #service: Service | undefined;
  #rds: RDSClient | undefined;

  constructor(root: string, runtime: 'native' | 'pglite' = 'native') {
    this.#root = root;
    this.#runtime = runtime;
  }

  get data(): string {
    return join(this.#root, 'data');
  }

  zone(letter: string): string {
    return join(this.#root, `zone-${letter}`);
  }

  /** With these zones, or those that it has. */
  async start(letters: readonly string[]): Promise<void> {
    this.#service = await startService({
      dataDirectory: this.data,
      port: 0,
      region: 'us-east-1',
      engineRuntime: this.#runtime,
      postgresBin: null,
      zones: letters.map(letter => ({letter, directory: this.zone(letter)})),
      logger: pino({level: 'silent'}),
    });
    const {url, region, credentials} = this.#service;
    this.#rds = new RDSClient({endpoint: url, region, credentials});
  }

  async stop(): Promise<void> {
    this.#rds?.destroy();
    await this.#service?.close();
    this.#service = undefined;
  }

  async createCluster(): Promise<number> {
    const rds = this.#client();
    await rds.send(
      new CreateDBClusterCommand({
        DBClusterIdentifier: 'orders',
        Engine: 'aurora-postgresql',
        MasterUsername: 'owner',
        MasterUserPassword: PASSWORD,
      }),
    );
    await rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: 'writer',
        DBClusterIdentifier: 'orders',
        DBInstanceClass: 'db.r6g.large',
        Engine: 'aurora-postgresql',
      }),
    );
    await this.untilAvailable('writer');
    return await this.port();
  }

  async untilAvailable(instance: string): Promise<void> {
    await waitUntilDBInstanceAvailable(
      {client: this.#client(), maxWaitTime: 90, minDelay: 1, maxDelay: 1},
      {DBInstanceIdentifier: instance},
    );
  }

  async port(): Promise<number> {
    const {DBClusters = []} = await this.#client().send(new DescribeDBClustersCommand({}));
    return DBClusters[0]?.Port ?? 0;
  }

  /** AvailabilityZones of the cluster. */
  async zoneNames(): Promise<readonly string[]> {
    const {DBClusters = []} = await this.#client().send(new DescribeDBClustersCommand({}));
    return DBClusters[0]?.AvailabilityZones ?? [];
  }

  async ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    const client = await openService(this.data);
    try {
      return await question(client);
    } finally {
      client.close();
    }
  }

  /** Changes the zones and waits until that is done. */
  async change(kind: 'add' | 'remove', letter: string): Promise<void> {
    await this.begin(kind, letter);
    await this.untilChanged();
  }

  async begin(kind: 'add' | 'remove', letter: string): Promise<ZoneReport> {
    return await this.ask(client =>
      kind === 'add'
        ? client.addZone({letter, directory: this.zone(letter)})
        : client.removeZone({letter}),
    );
  }

  async untilChanged(): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + CHANGE_MS_MAX;
    for (;;) {
      const {change} = await this.ask(client => client.zones());
      if (change === null) return;
      if (systemClock.monotonicMs() > deadlineMs) throw new Error(JSON.stringify(change));
      await sleep(100);
    }
  }

  async untilZone(letter: string, wanted: string, limitMs = 60_000): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + limitMs;
    for (;;) {
      const {zones} = await this.ask(client => client.zones());
      const state = zones.find(({name}) => name === `us-east-1${letter}`)?.state;
      if (state?.state === wanted) return;
      if (systemClock.monotonicMs() > deadlineMs) throw new Error(JSON.stringify(state));
      await sleep(100);
    }
  }

  #client(): RDSClient {
    if (this.#rds === undefined) throw new Error('the service was not started');
    return this.#rds;
  }
}
