/**
 * What several commands do to a cluster, as steps that are shown and timed:
 *
 *     create   create cluster ──▶ add writer ──▶ first query
 *     clone    clone call ──────▶ add writer ──▶ first query
 */
import type {DBCluster} from '@aws-sdk/client-rds';
import {sleep, systemClock} from '../base/clock.ts';
import {BorealisError, errorMessage, systemErrorCode} from '../base/errors.ts';
import type {ClusterReport} from '../cluster/control-plane.ts';
import type {ServiceContext} from './command.ts';
import {readPassword} from './data-directory.ts';
import {shellQuote, type ConnectionTarget} from './format/connection-url.ts';

const WRITER_SUFFIX = '-writer';
const IDENTIFIER_LENGTH_MAX = 63;
/** RDS asks for a class; a machine of one's own has but one. */
export const INSTANCE_CLASS = 'db.t4g.medium';
/** PostgreSQL's own, there whether or not the cluster has a database of its own. */
const MAINTENANCE_DATABASE = 'postgres';

/** A first start after a crash may replay minutes of log; past this something hangs. */
const AVAILABLE_TIMEOUT_MS = 10 * 60_000;
const CONNECT_TIMEOUT_MS = 30_000;
/** SQLSTATE of a login with the wrong password. */
const INVALID_PASSWORD = '28P01';
/** At first often, since a clone takes but a moment; then not to burn a core. */
const POLL_EAGER_MS = 20;
const POLL_EAGER_LIMIT_MS = 5000;
const POLL_MS = 250;

/** Name of the writer that `create` and `clone` add: the cluster's and `-writer`. */
export function writerName(cluster: string): string {
  const name = `${cluster}${WRITER_SUFFIX}`;
  if (name.length > IDENTIFIER_LENGTH_MAX) {
    const max = IDENTIFIER_LENGTH_MAX - WRITER_SUFFIX.length;
    throw new BorealisError(
      'invalid',
      'InvalidParameterValue',
      `NAME ${JSON.stringify(cluster)} has ${cluster.length} characters; at most ${max} are allowed, so that ${JSON.stringify(WRITER_SUFFIX)} still fits behind it`,
    );
  }
  return name;
}

/** A decimal TCP port from an option. `0` only where a free one may be picked. */
export function parsePort(text: string, option: string, min: number): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port >= min && port <= 65_535) return port;
  throw new BorealisError(
    'invalid',
    'InvalidParameterValue',
    `${option} ${JSON.stringify(text)} is not a port; a whole number from ${min} to 65535 is allowed`,
  );
}

/** The first of `CLUSTER-reader-1`, `CLUSTER-reader-2`, … that is free in the cluster. */
export function readerName({identifier, instances}: ClusterReport): string {
  const taken = new Set(instances.map(instance => instance.identifier));
  let number = 1;
  while (taken.has(`${identifier}-reader-${number}`)) number++;
  return `${identifier}-reader-${number}`;
}

export async function addInstance(
  {service}: ServiceContext,
  cluster: string,
  instance: string,
): Promise<void> {
  await service.call(rds =>
    rds.createDBInstance({
      DBInstanceIdentifier: instance,
      DBClusterIdentifier: cluster,
      DBInstanceClass: INSTANCE_CLASS,
      Engine: 'aurora-postgresql',
    }),
  );
}

/** Waits until an instance of the cluster serves. */
export async function untilInstance(
  {service}: ServiceContext,
  cluster: string,
  name: string,
): Promise<ClusterReport['instances'][number]> {
  const startedMs = systemClock.monotonicMs();
  for (;;) {
    const {instances} = await service.report(cluster);
    const instance = instances.find(({identifier}) => identifier === name.toLowerCase());
    if (instance?.status === 'available') return instance;
    if (instance?.status === 'failed') throw failedError(cluster, instance);
    const elapsedMs = systemClock.monotonicMs() - startedMs;
    if (elapsedMs > AVAILABLE_TIMEOUT_MS) {
      throw new BorealisError(
        'unavailable',
        'instance-not-in-time',
        `${name} did not become available within ${AVAILABLE_TIMEOUT_MS / 60_000} minutes; \`borealis show ${cluster}\` tells its state`,
      );
    }
    await sleep(elapsedMs < POLL_EAGER_LIMIT_MS ? POLL_EAGER_MS : POLL_MS);
  }
}

/** Adds the writer of a new cluster and waits until it serves. A refusal takes the empty cluster back. */
export async function addWriter(context: ServiceContext, cluster: string): Promise<ClusterReport> {
  const {terminal} = context;
  const writer = writerName(cluster);
  return terminal.step(`start writer ${writer}`, async progress => {
    try {
      await addInstance(context, cluster, writer);
    } catch (error) {
      await takeBack(context, cluster);
      throw error;
    }
    return waitUntilAvailable(context, cluster, status =>
      progress.update(`start writer ${writer}: ${status}`),
    );
  });
}

async function takeBack({service, terminal}: ServiceContext, cluster: string): Promise<void> {
  try {
    await service.call(rds =>
      rds.deleteDBCluster({DBClusterIdentifier: cluster, SkipFinalSnapshot: true}),
    );
  } catch (error) {
    terminal.note(
      `Cluster ${cluster} is left without a writer (${errorMessage(error)}); \`borealis delete ${cluster}\` removes it.`,
    );
  }
}

async function waitUntilAvailable(
  {service}: ServiceContext,
  identifier: string,
  say: (status: string) => void,
): Promise<ClusterReport> {
  const startedMs = systemClock.monotonicMs();
  for (;;) {
    const report = await service.report(identifier);
    const parts = [report, ...report.instances];
    const failed = parts.find(part => part.status === 'failed');
    if (failed !== undefined) throw failedError(identifier, failed);
    if (report.instances.length > 0 && parts.every(part => part.status === 'available')) {
      return report;
    }
    const elapsedMs = systemClock.monotonicMs() - startedMs;
    if (elapsedMs > AVAILABLE_TIMEOUT_MS) {
      throw new BorealisError(
        'unavailable',
        'cluster-not-in-time',
        `Cluster ${identifier} did not become available within ${AVAILABLE_TIMEOUT_MS / 60_000} minutes; \`borealis show ${identifier}\` tells its state`,
      );
    }
    const instance = report.instances.at(-1);
    say([`cluster ${report.status}`, instance && `writer ${instance.status}`].join(', '));
    await sleep(elapsedMs < POLL_EAGER_LIMIT_MS ? POLL_EAGER_MS : POLL_MS);
  }
}

function failedError(
  cluster: string,
  part: {identifier: string; statusReason: string | null},
): BorealisError {
  return new BorealisError(
    'internal',
    'cluster-failed',
    `${part.identifier} failed: ${part.statusReason ?? 'the service gave no reason'}\n(\`borealis show ${cluster}\` tells more, \`borealis delete ${cluster}\` removes it.)`,
  );
}

/** As `firstQuery`; false when the server does not take the password, as the kept one may be out of date. */
export async function firstQueryUnlessRefused(
  context: ServiceContext,
  target: ConnectionTarget,
): Promise<boolean> {
  try {
    await firstQuery(context, target);
    return true;
  } catch (error) {
    const cause = error instanceof BorealisError ? error.cause : undefined;
    if (systemErrorCode(cause) === INVALID_PASSWORD) return false;
    throw error;
  }
}

/** Connects through the cluster endpoint and asks for one row, as the user's program will. */
export async function firstQuery(context: ServiceContext, target: ConnectionTarget): Promise<void> {
  await context.terminal.step('first query', async () => {
    const {Client} = await import('pg');
    const client = new Client({
      host: target.host,
      port: target.port,
      user: target.user,
      password: target.password ?? undefined,
      database: target.database,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    // The query below rejects on a lost connection; the event would end the process besides.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
    } catch (error) {
      throw new BorealisError(
        'unavailable',
        'first-query-failed',
        `The endpoint ${target.host}:${target.port} did not answer a query: ${errorMessage(error)}`,
        error,
      );
    } finally {
      await client.end();
    }
  });
}

export function connectionTarget(report: ClusterReport, password: string | null): ConnectionTarget {
  return {
    host: report.endpoint,
    port: report.port,
    user: report.masterUsername,
    password,
    database: report.databaseName ?? MAINTENANCE_DATABASE,
  };
}

/** The cluster as DescribeDBClusters has it. Throws not-found with the names that there are. */
export async function describeCluster(
  {service}: ServiceContext,
  identifier: string,
): Promise<DBCluster & {DbClusterResourceId: string}> {
  await service.report(identifier);
  const answer = await service.call(rds =>
    rds.describeDBClusters({DBClusterIdentifier: identifier}),
  );
  const cluster = answer.DBClusters?.[0];
  const resourceId = cluster?.DbClusterResourceId;
  if (cluster === undefined || resourceId === undefined) {
    throw new BorealisError(
      'internal',
      'unexpected-answer',
      `DescribeDBClusters did not return cluster ${identifier} with its resource id`,
    );
  }
  return {...cluster, DbClusterResourceId: resourceId};
}

/** Where to connect, with the password when this data directory knows it. */
export async function knownTarget(
  context: ServiceContext,
  identifier: string,
): Promise<ConnectionTarget> {
  const {DbClusterResourceId} = await describeCluster(context, identifier);
  const password = await readPassword(context.dataDirectory, DbClusterResourceId);
  return connectionTarget(await context.service.report(identifier), password);
}

export function passwordUnknown(target: ConnectionTarget, identifier: string): string {
  return `The password of ${target.user} on ${identifier} is not known here, since it was not set by \`borealis create\`; give it to your client yourself, e.g. PGPASSWORD=… borealis psql ${shellQuote(identifier)}.`;
}
