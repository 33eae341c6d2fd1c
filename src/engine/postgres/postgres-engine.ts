/**
 * PostgreSQL on a directory.
 *
 *     <dataDirectory>/pgdata      the cluster's files, mode 0700
 *     <privateDirectory>/config   postgresql.conf, pg_hba.conf, certificate and key, written at every start
 *     <privateDirectory>/socket   Unix socket for our own sessions
 *     <privateDirectory>/links    links between the libraries of the npm package, where they lack
 *
 * The private directory must be reached by this instance alone (a tmpfs in its mount namespace):
 * whoever reaches the socket is superuser.
 *
 * On the first start of a clone the doors stay closed until it has forgotten its source; then the
 * settings are written again and reloaded, which costs no second start.
 */
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {sleep, systemClock} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {
  Engine,
  EngineSetting,
  EngineStartOptions,
  ReportStep,
  RunningEngine,
} from '../engine.ts';
import {endedUnasked, exitText, runProgram} from '../server-process.ts';
import {inspectPostgres} from './binaries.ts';
import {dropSubscriptions, removeReplicationSlots} from './forget-source.ts';
import {LiveSettings} from './live-settings.ts';
import {ADMIN_ROLE} from './names.ts';
import {lastComplaint, type Postmaster} from './postmaster.ts';
import {prepareFork} from './prepare-fork.ts';
import {engineReplication, prepareReader} from './replication.ts';
import {readSettingsAndLibraries} from './read-settings.ts';
import {
  createClusterRoles,
  createDatabase,
  isTokenUser,
  setMaster,
  setReplicationRole,
} from './roles.ts';
import {withSession, type Session, type SocketAddress} from './session.ts';
import {
  OPEN_LIBRARY_PATH,
  writeConfiguration,
  type ReplicationSettings,
  type SettingsInput,
} from './settings.ts';
import {removeLeftovers, startOnPort} from './start-server.ts';
import {readStatistics} from './statistics.ts';
import {giveTo, prepareWorkplace, type PostgresEngineConfig, type Workplace} from './workplace.ts';

const RELOAD_POLL_MS = 2;
const RELOAD_TIMEOUT_MS = 10_000;

export async function createPostgresEngine(config: PostgresEngineConfig): Promise<Engine> {
  const place = await prepareWorkplace(config);
  return {
    initialise: report => initialise(place, report),
    start: (options, report) => start(place, options, report),
  };
}

async function initialise(place: Workplace, report: ReportStep): Promise<readonly EngineSetting[]> {
  const {major} = await inspectPostgres(place.bin);
  await timed('initdb', report, () => runInitdb(place, major));
  return timed('create-roles', report, async () => {
    const {postmaster, port} = await startOnPort(
      place,
      // No role with a password is there yet, and extensions need their libraries.
      {...settingsOf(place, {}), doors: 'open', replication: {role: 'alone'}, tls: null},
      0,
    );
    const address = {directory: place.socketDirectory, port};
    try {
      await createClusterRoles(address, major);
      const catalogue = await withSession(address, readSettingsAndLibraries);
      await postmaster.stop('fast');
      return catalogue;
    } catch (error) {
      await postmaster.stop('immediate');
      throw error;
    }
  });
}

async function runInitdb(place: Workplace, major: number): Promise<void> {
  await mkdir(place.pgdata, {mode: 0o700});
  await giveTo(place.user, place.pgdata);
  const exit = await runProgram({
    ...place,
    argv: [join(place.bin, 'initdb'), ...initdbArguments(place.pgdata, major)],
  });
  if (exit.code === 0) return;
  throw new BorealisError(
    'unavailable',
    'engine-start',
    `initdb ended with ${exitText(exit)}${lastComplaint(place.log.tail())}`,
  );
}

function settingsOf(
  place: Workplace,
  parameters: EngineStartOptions['parameters'],
): Pick<SettingsInput, 'socketDirectory' | 'syncedBy' | 'parameters'> {
  return {socketDirectory: place.socketDirectory, syncedBy: place.syncedBy, parameters};
}

/**
 * A locale that orders and compares by code point alike on every machine: the server's own from 17 on;
 * before that the C library's `C` for order, and its C.UTF-8 to know letters by.
 */
function initdbArguments(pgdata: string, major: number): string[] {
  return [
    `--pgdata=${pgdata}`,
    `--username=${ADMIN_ROLE}`,
    '--encoding=UTF8',
    '--data-checksums',
    // The pg_hba.conf that initdb writes is never read; ours is given by name.
    '--auth=reject',
    // The volume's barrier comes when all is done.
    '--no-sync',
    '--no-instructions',
    ...(major >= 17
      ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
      : ['--locale=C', '--lc-ctype=C.UTF-8']),
  ];
}

async function start(
  place: Workplace,
  options: EngineStartOptions,
  report: ReportStep,
): Promise<RunningEngine> {
  await removeLeftovers(place.pgdata);
  const {source} = options;
  if (options.firstStart || source !== null) await removeReplicationSlots(place.pgdata);
  const replication: ReplicationSettings =
    source === null
      ? {role: options.readerVerifier === null ? 'alone' : 'source'}
      : await prepareReader(place, source);
  const settings = {
    ...settingsOf(place, options.parameters),
    doors: options.firstStart ? 'closed' : 'open',
    replication,
    tls: options.tls,
  } as const;
  const {postmaster, port} = await timed('recover', report, () =>
    startOnPort(place, settings, options.port),
  );
  const address = {directory: place.socketDirectory, port};
  try {
    const serverVersion = await withSession(address, async session => {
      if (options.firstStart) {
        await timed('forget-source', report, () => dropSubscriptions(session, address));
      }
      return timed('prepare-access', report, async () => {
        if (source === null) await applyOptions(session, options);
        if (options.firstStart) {
          await writeConfiguration(
            place.configDirectory,
            {...settings, port, doors: 'open'},
            place.user.owner,
          );
          postmaster.reload();
          await untilReloaded(session);
        }
        const [row] = await session.query(`SELECT current_setting('server_version') AS version`);
        return `PostgreSQL ${String(row?.['version']).replace(/ .*$/, '')}`;
      });
    });
    const live = new LiveSettings(place, postmaster, address, {...settings, port, doors: 'open'});
    return runningEngine(place, postmaster, address, serverVersion, live);
  } catch (error) {
    await postmaster.stop('immediate');
    throw error;
  }
}

async function applyOptions(session: Session, options: EngineStartOptions): Promise<void> {
  const {master, databaseName, readerVerifier} = options;
  if (master !== null) await setMaster(session, master);
  if (readerVerifier !== null) await setReplicationRole(session, readerVerifier);
  if (databaseName !== null) {
    await createDatabase(session, databaseName, master?.name ?? ADMIN_ROLE);
  }
}

/**
 * The postmaster passes the signal on to its sessions while it reloads, and takes no connection before
 * it has reloaded all: once this session sees the new settings, the next one to connect finds the doors open.
 */
async function untilReloaded(session: Session): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + RELOAD_TIMEOUT_MS;
  for (;;) {
    const [row] = await session.query(`SELECT current_setting('dynamic_library_path') AS path`);
    if (row?.['path'] === OPEN_LIBRARY_PATH) return;
    if (systemClock.monotonicMs() > deadlineMs) {
      const message = 'PostgreSQL did not reload its settings';
      throw new BorealisError('unavailable', 'engine-start', message);
    }
    await sleep(RELOAD_POLL_MS);
  }
}

function runningEngine(
  place: Workplace,
  postmaster: Postmaster,
  address: SocketAddress,
  serverVersion: string,
  live: LiveSettings,
): RunningEngine {
  let stopping = false;
  const failed = endedUnasked('PostgreSQL', postmaster, () => stopping);
  return {
    port: address.port,
    serverVersion,
    failed,
    setMaster: master => withSession(address, session => setMaster(session, master)),
    configure: async parameters => {
      await live.change({parameters});
      return true;
    },
    setTls: tls => live.change({tls}),
    isTokenUser: user => withSession(address, session => isTokenUser(session, user)),
    prepareFork: report => prepareFork(address, report),
    statistics: () => readStatistics(address),
    replication: engineReplication(place, address, live),
    stop: async mode => {
      stopping = true;
      await postmaster.stop(mode);
    },
  };
}

async function timed<T>(name: string, report: ReportStep, work: () => Promise<T>): Promise<T> {
  const beganMs = systemClock.monotonicMs();
  const result = await work();
  report({name, durationMs: systemClock.monotonicMs() - beganMs});
  return result;
}
