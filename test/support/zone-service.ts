/**
 * A service in a process of its own, whose zones are directories below one, for tests that change or break
 * them, and kill it.
 */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  DescribeDBClustersCommand,
  DescribeEventsCommand,
  RDSClient,
  waitUntilDBInstanceAvailable,
} from '@aws-sdk/client-rds';
import {parsePage, valueOf} from '../../src/api/testing/prometheus-text.ts';
import {sleep, systemClock} from '../../src/base/clock.ts';
import {entryPoint} from '../../src/base/entry-point.ts';
import {openService, type Service as Client} from '../../src/cli/service.ts';
import type {ZoneReport} from '../../src/cluster/control-plane.ts';
import type {ZoneState} from '../../src/page-store/zone.ts';
import {prepareData} from './prepared-data.ts';

export const PASSWORD = 'correct-horse-battery';
const CHANGE_MS_MAX = 240_000;

export class ZoneService {
  readonly #root: string;
  readonly #runtime: 'native' | 'pglite';
  #process: ChildProcess | undefined;
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

  /** As `start`, of a new store with these zones whose engine has been used before. */
  async startPrepared(letters: readonly string[], crashAt?: string): Promise<void> {
    const zones = letters.map(letter => ({letter, directory: this.zone(letter)}));
    await prepareData(this.data, this.#runtime, zones);
    await this.start(letters, crashAt);
  }

  /** With these zones, or those that it has. `crashAt` is a crash point. */
  async start(letters: readonly string[], crashAt?: string): Promise<void> {
    const zones = letters.flatMap(letter => ['--zone', `${letter}=${this.zone(letter)}`]);
    const options = ['--json', '--data', this.data, '--port', '0', ...zones];
    const child = spawn(
      process.execPath,
      [entryPoint('cli/main'), 'up', ...options, '--engine-runtime', this.#runtime],
      {
        env: {
          ...process.env,
          BOREALIS_LOG_LEVEL: process.env['ZLOG'] ?? 'silent',
          ...(crashAt === undefined ? {} : {BOREALIS_CRASH_AT: crashAt}),
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    this.#process = child;
    const started = once(child.stdout, 'data').then(() => true);
    const ended = once(child, 'exit').then(() => false);
    if (!(await Promise.race([started, ended]))) throw new Error('the service did not start');
    const {record, credentials} = await this.ask(async client => client);
    this.#rds = new RDSClient({endpoint: record.url, region: record.region, credentials});
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Waits until it has died by itself. */
  async died(): Promise<void> {
    const child = this.#process;
    if (child?.signalCode === null && child.exitCode === null) await once(child, 'exit');
    this.#rds?.destroy();
    this.#process = undefined;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#process === undefined) return;
    this.#process.kill(signal);
    await this.died();
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
      {client: this.#client(), maxWaitTime: 240, minDelay: 1, maxDelay: 1},
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

  async untilZone(letter: string, wanted: string, limitMs = 60_000): Promise<ZoneState> {
    const deadlineMs = systemClock.monotonicMs() + limitMs;
    for (;;) {
      const {zones} = await this.ask(client => client.zones());
      const state = zones.find(({name}) => name === `us-east-1${letter}`)?.state;
      if (state?.state === wanted) return state;
      if (systemClock.monotonicMs() > deadlineMs) throw new Error(JSON.stringify(state));
      await sleep(100);
    }
  }

  /** Of a zone, as Prometheus would be told it. */
  async zoneMetric(name: string, letter: string): Promise<number | undefined> {
    const page = parsePage(await this.ask(client => client.metrics()));
    return valueOf(page, name, {zone: `us-east-1${letter}`});
  }

  /** Messages of the events of a zone, the oldest first. */
  async zoneEvents(letter: string): Promise<(string | undefined)[]> {
    return await this.events('service', `us-east-1${letter}`);
  }

  async events(type: string, source: string): Promise<(string | undefined)[]> {
    const {Events = []} = await this.#client().send(new DescribeEventsCommand({}));
    const own = Events.filter(
      event => event.SourceType === type && event.SourceIdentifier === source,
    );
    return own.map(({Message}) => Message);
  }

  #client(): RDSClient {
    if (this.#rds === undefined) throw new Error('the service was not started');
    return this.#rds;
  }
}
