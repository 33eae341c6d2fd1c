/**
 * The running service of one data directory: real disks, clocks and sockets, joined.
 *
 *     directory ▸ lock ▸ runtime and engines ▸ catalog, store, instances ▸ HTTP ▸ recovery
 *
 * Opened in this order, closed in the opposite one; what fails on the way closes what was open.
 * Errors: data-directory-in-use, -foreign, -unusable, -format, -region, disk-full, port-in-use,
 *         engine-binary, runtime-unavailable; each says what to do.
 */
import {mkdirSync} from 'node:fs';
import {totalmem} from 'node:os';
import {join, resolve} from 'node:path';
import type {Server} from 'node:http';
import {closeApiServer, createApiServer} from './api/http-server.ts';
import {assert} from './base/assert.ts';
import {systemClock} from './base/clock.ts';
import {BorealisError, systemErrorCode} from './base/errors.ts';
import {createLogger, type Logger} from './base/log.ts';
import {tokenRefusal} from './api/database-token.ts';
import {Catalog} from './cluster/catalog.ts';
import {openAuthority} from './cluster/certificate-authority.ts';
import {Certificates} from './cluster/certificates.ts';
import {zonesOf} from './cluster/check.ts';
import {createClusterService, type ClusterService} from './cluster/cluster-service.ts';
import {
  openCredentials,
  openDataDirectory,
  openMetricsToken,
  removeServiceFile,
  writeServiceFile,
  type Credentials,
} from './cluster/data-directory.ts';
import {findEngines, type Engines, type EngineRuntimeChoice} from './cluster/find-engines.ts';
import {newAccountId} from './cluster/identifiers.ts';
import {isCatalogMissing, refuseLostCatalog, refuseLostStore} from './cluster/lost-parts.ts';
import {acquireServiceLock} from './cluster/service-lock.ts';
import {openClusterStorage} from './cluster/storage.ts';
import {ServiceCounts} from './cluster/metrics/service-counts.ts';
import {NODE_CACHE_BYTES} from './cluster/instance-config.ts';
import {recordZoneEvent} from './cluster/zone-events.ts';
import {StoreZones} from './cluster/store-zones.ts';
import {ZoneHealth} from './cluster/zone-health.ts';
import {ZoneSpaces} from './cluster/zone-space.ts';
import {openZonePlan, type ZoneOption} from './cluster/zone-list.ts';
import {scramVerifier} from './engine/postgres/scram.ts';
import {createInstanceLauncher} from './instance/instance-process.ts';

export type ServiceOptions = {
  readonly dataDirectory: string;
  /** Of the API; 0 takes any free one. */
  readonly port: number;
  readonly region: string;
  readonly engineRuntime: EngineRuntimeChoice;
  /** Directory with `initdb` and `postgres` of an installed PostgreSQL; null for the one from npm. */
  readonly postgresBin: string | null;
  /** Of a new store, or those that it has; none: one below the data directory, or those that it has. */
  readonly zones?: readonly ZoneOption[];
  readonly logger?: Logger;
  /** Free bytes of the store below which engines' writes wait. */
  readonly reserveBytes?: number;
  /** Between two scrubs by schedule, null for none; a week when left out. */
  readonly scrubEveryMs?: number | null;
  /** Volumes that the catalog does not know are deleted, even if it is new or older than they are. */
  readonly discardUnknown?: boolean;
};

export type Service = {
  readonly url: string;
  readonly region: string;
  readonly credentials: Credentials;
  readonly dataDirectory: string;
  /** The engine that a new cluster gets, for people. */
  readonly engine: string;
  /** Stops every instance cleanly, closes the endpoints and lets go of the directory. */
  close(): Promise<void>;
};

/** Last checkpoints and records of 40 instances, and the catalog. */
export const RESERVE_BYTES: number = 128 * 2 ** 20;
/** A disk that rots does so over months; ZFS is scrubbed once a month, or once a week. */
const SCRUB_EVERY_MS: number = 7 * 24 * 3_600_000;
const API_ADDRESS = '127.0.0.1';
/** A clone call in flight finishes within it; longer ones are finished or undone at the next start. */
const API_CLOSE_GRACE_MS = 5_000;
const REGION = /^[a-z]{2,10}(?:-[a-z0-9]{1,20}){1,4}$/;

export async function startService(options: ServiceOptions): Promise<Service> {
  const logger = options.logger ?? createLogger('service');
  const closers: Closer[] = [];
  try {
    const service = await open(options, logger, closers);
    logger.info({url: service.url, engine: service.engine}, 'the service is ready');
    return service;
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** What was opened, in that order. */
type Closer = () => Promise<void> | void;

async function closeAll(closers: Closer[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      // The rest must be closed all the same, the lock above all.
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function open(options: ServiceOptions, logger: Logger, closers: Closer[]): Promise<Service> {
  const {region} = options;
  const dataDirectory = resolve(options.dataDirectory);
  refuseRegion(region);
  openDataDirectory(dataDirectory);
  const lock = acquireServiceLock(dataDirectory);
  closers.push(() => lock.release());
  const credentials = openCredentials(dataDirectory);
  const engines = await findEngines(options.engineRuntime, options.postgresBin);
  const engine = engines.offers.available[0]?.description ?? '';
  if (engines.fallbackReason !== null) {
    logger.warn(`engines run as ${engine}, because: ${engines.fallbackReason}`);
  }
  const control = openControl(options, {dataDirectory, credentials, engines}, logger, closers);
  const server = createApiServer({
    controlPlane: control.controlPlane,
    monitor: control.monitor,
    credentials,
    scrapeToken: openMetricsToken(dataDirectory),
    region,
    clock: systemClock,
    logger,
    about: {dataDirectory, engine},
  });
  const port = await listen(server, options.port);
  // In this order: no new calls, then the instances; the lock goes last.
  closers.push(() => closeApiServer(server, API_CLOSE_GRACE_MS));
  await control.recover();
  const url = `http://${API_ADDRESS}:${port}`;
  writeServiceFile(dataDirectory, {url, region, pid: process.pid});
  closers.push(() => removeServiceFile(dataDirectory));
  return {url, region, credentials, dataDirectory, engine, close: () => closeAll(closers)};
}

function openControl(
  options: ServiceOptions,
  parts: {dataDirectory: string; credentials: Credentials; engines: Engines},
  logger: Logger,
  closers: Closer[],
): ClusterService {
  const {region, discardUnknown = false} = options;
  const {dataDirectory, credentials, engines} = parts;
  const refuseNew = (): void => {
    if (!discardUnknown) refuseLostCatalog(dataDirectory, zonesOf(dataDirectory));
  };
  if (isCatalogMissing(dataDirectory)) refuseNew();
  const authority = openAuthority(dataDirectory, {clock: systemClock, logger});
  const catalog = Catalog.open({
    directory: dataDirectory,
    region,
    newIdentity: () => {
      refuseNew();
      return {accountId: newAccountId(), region, createdAtMs: systemClock.nowMs()};
    },
  });
  closers.push(() => catalog.close());
  refuseOtherRegion(catalog, region, dataDirectory);
  const plan = openZonePlan(dataDirectory, region, options.zones ?? []);
  const storeZones = new StoreZones(dataDirectory, plan);
  refuseLostStore(catalog, storeZones.list);
  for (const {directory} of storeZones.config.zones)
    mkdirSync(directory, {recursive: true, mode: 0o700});
  const instancesDirectory = join(dataDirectory, 'instances');
  mkdirSync(instancesDirectory, {recursive: true, mode: 0o700});
  const counts = new ServiceCounts();
  const zoneHealth = new ZoneHealth();
  const stored = {...storeZones.config, nodeCacheBytes: NODE_CACHE_BYTES};
  const storage = openClusterStorage(stored, event =>
    recordZoneEvent({catalog, clock: systemClock, logger, counts, zoneHealth}, event, null),
  );
  closers.push(() => storage.close());
  const launcher = createInstanceLauncher({
    logger,
    asRoot: engines.asRoot,
    spare: engines.offers.available[0]?.runtime === 'native',
  });
  closers.push(() => launcher.close());
  const control = createClusterService({
    catalog,
    storage,
    launch: (config, listener) => launcher.launch(config, listener),
    offers: engines.offers,
    storeZones,
    renewSpare: () => launcher.renewSpare(),
    instancesDirectory,
    passwordsDirectory: join(dataDirectory, 'passwords'),
    zoneSpaces: new ZoneSpaces(),
    reserveBytes: options.reserveBytes ?? RESERVE_BYTES,
    discardUnknown,
    scrubEveryMs: options.scrubEveryMs === undefined ? SCRUB_EVERY_MS : options.scrubEveryMs,
    hostMemoryBytes: hostMemoryBytes(),
    scramVerifier: password => scramVerifier(password),
    certificates: new Certificates(authority, systemClock),
    tokenRefusal: (token, scope) =>
      tokenRefusal(token, scope, {credentials, region, clock: systemClock}),
    clock: systemClock,
    logger,
    counts,
    zoneHealth,
  });
  closers.push(() => control.close());
  return control;
}

/** What this process may use, where a container limits it. */
function hostMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const fail = (error: Error): void => {
      const code = systemErrorCode(error);
      const taken = code === 'EADDRINUSE' || code === 'EACCES';
      reject(taken ? portInUse(port, code, error) : error);
    };
    server.once('error', fail);
    server.listen({host: API_ADDRESS, port}, () => {
      server.off('error', fail);
      const address = server.address();
      assert(typeof address === 'object' && address !== null, 'a TCP server has an address');
      resolvePort(address.port);
    });
  });
}

function portInUse(port: number, code: string, cause: Error): BorealisError {
  return new BorealisError(
    'conflict',
    'port-in-use',
    `Port ${port} on ${API_ADDRESS} cannot be used for the API (${code}). Choose another one, or 0 for any that is free.`,
    cause,
  );
}

function refuseRegion(region: string): void {
  if (REGION.test(region)) return;
  throw new BorealisError(
    'invalid',
    'region-invalid',
    `The region ${JSON.stringify(region)} is not a region's name, such as us-east-1 or local-1.`,
  );
}

/** Names, ARNs and signatures carry the region, so a data directory keeps the one that it began with. */
function refuseOtherRegion(catalog: Catalog, region: string, dataDirectory: string): void {
  if (catalog.identity.region === region) return;
  throw new BorealisError(
    'conflict',
    'data-directory-region',
    `The data directory ${dataDirectory} belongs to the region ${catalog.identity.region}, not ${region}. Start with that region, or name another data directory.`,
  );
}
