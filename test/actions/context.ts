/**
 * What the cases of the actions are tried on: the API on a port, the control plane behind it, and the
 * SDK's client in front. Engines are stand-ins, so that a cluster is there in milliseconds; all else is
 * what `borealis up` runs.
 */
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import type {Server} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  CreateDBSubnetGroupCommand,
  RDSClient,
  type CreateDBClusterMessage,
} from '@aws-sdk/client-rds';
import {pino} from 'pino';
import {closeApiServer, createApiServer} from '../../src/api/http-server.ts';
import {systemClock} from '../../src/base/clock.ts';
import type {QuotaName} from '../../src/cluster/quotas.ts';
import type {ClusterRecord, InstanceRecord} from '../../src/cluster/records.ts';
import {
  CREATE,
  openTestService,
  settle,
  until,
  type TestService,
} from '../../src/cluster/testing/test-service.ts';
import {ZoneSpaces} from '../../src/cluster/zone-space.ts';
import {ENGINE_LOG_NAME} from '../../src/engine/postgres/engine-log.ts';

const REGION = 'local-1';
const ACCOUNT = '123456780000';
const CREDENTIALS = {accessKeyId: 'AKIDCASES', secretAccessKey: 'secret of the cases'};
/** Nothing listens there. */
export const WEBHOOK = 'http://127.0.0.1:9/hook';
export const FAMILY = 'aurora-postgresql18';

export class Context {
  readonly rds: RDSClient;
  readonly service: TestService;
  readonly #server: Server;
  readonly #directory: string;
  readonly #limits = new Map<string, number>();
  readonly #disk: {bytesFree: number};
  #names = 0;

  private constructor(
    service: TestService,
    disk: {bytesFree: number},
    server: Server,
    directory: string,
    port: number,
  ) {
    this.service = service;
    this.#disk = disk;
    this.#server = server;
    this.#directory = directory;
    this.rds = new RDSClient({
      endpoint: `http://127.0.0.1:${port}`,
      region: REGION,
      credentials: CREDENTIALS,
      maxAttempts: 1,
    });
  }

  static async open(): Promise<Context> {
    const directory = mkdtempSync(join(tmpdir(), 'borealis-actions-'));
    const disk = {bytesFree: 2 ** 40};
    const zoneSpaces = new ZoneSpaces(async () => ({bytesTotal: 2 ** 40, ...disk}));
    const service = await openTestService(directory, undefined, ACCOUNT, {zoneSpaces});
    const server = createApiServer({
      controlPlane: service.plane,
      monitor: service.monitor,
      scrapeToken: 'unused',
      credentials: CREDENTIALS,
      region: REGION,
      clock: systemClock,
      logger: pino({level: 'silent'}),
      about: {version: '0.0.0-test'},
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    return new Context(service, disk, server, directory, port);
  }

  async close(): Promise<void> {
    this.rds.destroy();
    await closeApiServer(this.#server, 1_000);
    await this.service.close();
    rmSync(this.#directory, {recursive: true});
  }

  /** One that nothing has yet. */
  name(): string {
    return `n${this.#names++}`;
  }

  arn(type: string, name: string): string {
    return `arn:aws:rds:${REGION}:${ACCOUNT}:${type}:${name}`;
  }

  /** Waits until nothing is on its way. */
  async rest(): Promise<void> {
    await settle(this.service);
  }

  /** A new cluster at rest; its instances are named `NAME-0`, `NAME-1` …, the first one the writer. */
  async cluster(instances = 0, more: Partial<CreateDBClusterMessage> = {}): Promise<string> {
    const name = this.name();
    await this.rds.send(
      new CreateDBClusterCommand({...CREATE, ...more, DBClusterIdentifier: name}),
    );
    await this.rest();
    for (let i = 0; i < instances; i++) await this.instance(name, `${name}-${i}`);
    return name;
  }

  async instance(cluster: string, name: string): Promise<string> {
    await this.rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: name,
        DBClusterIdentifier: cluster,
        DBInstanceClass: 'db.r6g.large',
        Engine: CREATE.Engine,
      }),
    );
    await this.rest();
    return name;
  }

  /** A new subnet group that covers these zones of the region. */
  async subnetGroup(...letters: readonly string[]): Promise<string> {
    const name = this.name();
    await this.rds.send(
      new CreateDBSubnetGroupCommand({
        DBSubnetGroupName: name,
        DBSubnetGroupDescription: 'of a case',
        SubnetIds: letters.map(letter => `subnet-${REGION}${letter}`),
      }),
    );
    return name;
  }

  /** As the engine of the instance writes it. Returns the file's name in the API. */
  writeLog(instance: string, text: string): string {
    const {resourceId = ''} = this.service.catalog.instances.get(instance) ?? {};
    const directory = join(this.#directory, 'instances', resourceId);
    mkdirSync(directory, {recursive: true});
    writeFileSync(join(directory, ENGINE_LOG_NAME), text);
    return `error/${ENGINE_LOG_NAME}`;
  }

  /** Does it while the cluster is being created, which takes as long as the call. */
  async whileCreating<T>(cluster: string, work: () => Promise<T>): Promise<T> {
    const {clusters} = this.service.catalog;
    const put = (status: ClusterRecord['status']): unknown =>
      this.service.catalog.transaction(() =>
        clusters.update(cluster, record => ({...record, status})),
      );
    put('creating');
    return await work().finally(() => put('available'));
  }

  /** As `whileCreating`, of an instance that is being deleted. */
  async whileDeleting<T>(instance: string, work: () => Promise<T>): Promise<T> {
    const {instances} = this.service.catalog;
    const put = (status: InstanceRecord['status']): unknown =>
      this.service.catalog.transaction(() =>
        instances.update(instance, record => ({...record, status})),
      );
    put('deleting');
    return await work().finally(() => put('available'));
  }

  /** Does it while the disk is full, and waits until there is space again. */
  async withoutSpace<T>(work: () => Promise<T>): Promise<T> {
    const isFull = async (): Promise<boolean> =>
      (await this.service.monitor.measure()).isStorageFull;
    const {bytesFree} = this.#disk;
    this.#disk.bytesFree = 0;
    try {
      await until(isFull);
      return await work();
    } finally {
      this.#disk.bytesFree = bytesFree;
      await until(async () => !(await isFull()));
    }
  }

  /** Leaves room for no more of what there are `used`, until `restoreQuotas`. */
  async fill(name: QuotaName): Promise<void> {
    const {quotas} = await this.service.plane.quotas({});
    const quota = quotas.find(each => each.name === name);
    if (quota === undefined) throw new Error(`there is no quota ${name}`);
    this.#limits.set(name, quota.limit);
    await this.service.plane.setQuota({name, limit: Math.max(1, quota.used)});
  }

  async restoreQuotas(): Promise<void> {
    for (const [name, limit] of this.#limits) await this.service.plane.setQuota({name, limit});
    this.#limits.clear();
  }
}

/** What is tried for an action: that it succeeds, and each fault by its name in the SDK. */
export type ActionCases = Readonly<Record<string, Readonly<Record<string, ActionCase>>>>;
/** Resolves when the action was done, and rejects with the fault. */
export type ActionCase = (context: Context) => Promise<unknown>;
