/** The calls that the demo makes, through the AWS SDK as any program would. */
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  DBClusterNotFoundFault,
  DBInstanceNotFoundFault,
  DeleteDBClusterCommand,
  DeleteDBInstanceCommand,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  RDSClient,
  RestoreDBClusterToPointInTimeCommand,
} from '@aws-sdk/client-rds';
import {sleep, systemClock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import type {Service} from '../cli/service.ts';
import type {EngineName} from '../engine/engine.ts';
import {openSqlClient, type SqlAddress, type SqlClient} from './sql-client.ts';

const INSTANCE_CLASS = 'db.t4g.medium';
const MASTER_USERNAMES: Readonly<Record<EngineName, string>> = {
  'aurora-postgresql': 'postgres',
  'aurora-mysql': 'admin',
};
const DATABASE = 'postgres';
/** The first cluster of a version waits for initdb besides. */
const WAIT_TIMEOUT_MS = 120_000;
const POLL_MS = 10;
const CONNECT_TIMEOUT_MS = 30_000;

export class Clusters {
  readonly #client: RDSClient;
  readonly #password: string;
  readonly #engine: EngineName;
  readonly #connections = new Set<SqlClient>();

  constructor(service: Service, password: string, engine: EngineName = 'aurora-postgresql') {
    this.#engine = engine;
    this.#client = new RDSClient({
      endpoint: service.record.url,
      region: service.record.region,
      credentials: service.credentials,
    });
    this.#password = password;
  }

  async create(cluster: string): Promise<void> {
    await this.#client.send(
      new CreateDBClusterCommand({
        DBClusterIdentifier: cluster,
        Engine: this.#engine,
        MasterUsername: MASTER_USERNAMES[this.#engine],
        MasterUserPassword: this.#password,
        DatabaseName: DATABASE,
      }),
    );
  }

  /** As Aurora has it: a clone is a restore to the latest time, of type copy-on-write. */
  async clone(source: string, cluster: string): Promise<void> {
    await this.#client.send(
      new RestoreDBClusterToPointInTimeCommand({
        SourceDBClusterIdentifier: source,
        DBClusterIdentifier: cluster,
        RestoreType: 'copy-on-write',
        UseLatestRestorableTime: true,
      }),
    );
  }

  async addWriter(cluster: string): Promise<void> {
    await this.#client.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: writerOf(cluster),
        DBClusterIdentifier: cluster,
        DBInstanceClass: INSTANCE_CLASS,
        Engine: this.#engine,
      }),
    );
  }

  async waitUntilAvailable(cluster: string): Promise<void> {
    await waitUntil(`the writer of ${cluster} to be available`, async () => {
      const answer = await this.#client.send(
        new DescribeDBInstancesCommand({DBInstanceIdentifier: writerOf(cluster)}),
      );
      const status = answer.DBInstances?.[0]?.DBInstanceStatus;
      if (status === 'failed') {
        throw new BorealisError('internal', 'demo-failed', `The writer of ${cluster} failed`);
      }
      return status === 'available';
    });
  }

  /** Of the cluster endpoint that DescribeDBClusters names. */
  async address(cluster: string): Promise<SqlAddress> {
    const answer = await this.#client.send(
      new DescribeDBClustersCommand({DBClusterIdentifier: cluster}),
    );
    const described = answer.DBClusters?.[0];
    if (described?.Endpoint === undefined || described.Port === undefined) {
      throw new BorealisError('internal', 'demo-failed', `${cluster} has no endpoint`);
    }
    return {
      host: described.Endpoint,
      port: described.Port,
      user: MASTER_USERNAMES[this.#engine],
      password: this.#password,
      database: DATABASE,
    };
  }

  async connect(cluster: string): Promise<SqlClient> {
    const client = await openSqlClient(this.#engine, await this.address(cluster), {
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
    this.#connections.add(client);
    return client;
  }

  /** Opens a connection for the length of `work`. */
  async query<T>(cluster: string, work: (client: SqlClient) => Promise<T>): Promise<T> {
    const client = await this.connect(cluster);
    try {
      return await work(client);
    } finally {
      await this.disconnect(client);
    }
  }

  async disconnect(client: SqlClient): Promise<void> {
    this.#connections.delete(client);
    await client.end();
  }

  async delete(cluster: string): Promise<void> {
    const writer = {DBInstanceIdentifier: writerOf(cluster)};
    await this.#client.send(new DeleteDBInstanceCommand({...writer, SkipFinalSnapshot: true}));
    await waitUntil(`the writer of ${cluster} to go`, () =>
      isGone(
        () => this.#client.send(new DescribeDBInstancesCommand(writer)),
        DBInstanceNotFoundFault,
      ),
    );
    const source = {DBClusterIdentifier: cluster};
    await this.#client.send(new DeleteDBClusterCommand({...source, SkipFinalSnapshot: true}));
    await waitUntil(`${cluster} to go`, () =>
      isGone(
        () => this.#client.send(new DescribeDBClustersCommand(source)),
        DBClusterNotFoundFault,
      ),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections].map(client => this.disconnect(client)));
    this.#client.destroy();
  }
}

function writerOf(cluster: string): string {
  return `${cluster}-writer`;
}

async function isGone(
  describe: () => Promise<unknown>,
  fault: abstract new (...args: never[]) => Error,
): Promise<boolean> {
  try {
    await describe();
    return false;
  } catch (error) {
    if (error instanceof fault) return true;
    throw error;
  }
}

async function waitUntil(what: string, done: () => Promise<boolean>): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + WAIT_TIMEOUT_MS;
  while (!(await done())) {
    if (systemClock.monotonicMs() > deadlineMs) {
      throw new BorealisError(
        'unavailable',
        'demo-late',
        `Waited ${WAIT_TIMEOUT_MS / 1000} s for ${what}`,
      );
    }
    await sleep(POLL_MS);
  }
}
