/**
 * MariaDB on a directory, as the engine of an `aurora-mysql` cluster.
 *
 *     <dataDirectory>/mysql       the server's data directory, mode 0700
 *     <dataDirectory>/tmp         its temporary files, emptied at every start
 *     <dataDirectory>/server-id   the number that it goes by in replication
 *     <privateDirectory>/config   my.cnf and, while it starts, init.sql; written at every start
 *     <privateDirectory>/socket   Unix socket for our own session
 *
 * The private directory must be reached by this instance alone (a tmpfs in its mount namespace).
 *
 * What a clone forgets, and the users and the database that it must have, are statements of init.sql,
 * which the server runs before it takes a connection: no client ever sees a half-made one.
 *
 * It is given no certificate. MariaDB 11.4 and newer make one of their own at each start, which nobody here
 * vouches for; older ones have no TLS.
 */
import {assert, AssertionError} from '../../base/assert.ts';
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
import {inspectMariadb, installProgram} from './binaries.ts';
import {configure} from './configure.ts';
import {removeLeftovers, removeReplicaFiles, serverId} from './leftovers.ts';
import {prepareFork} from './prepare-fork.ts';
import {readSettings} from './read-settings.ts';
import {engineReplication, startFollowing} from './replication.ts';
import {lastComplaint, startOnPort, type MysqlServer} from './server.ts';
import {
  configurationFiles,
  fixedSettings,
  writeConfiguration,
  type SettingsInput,
} from './settings.ts';
import {readStatistics} from './statistics.ts';
import {
  createDatabase,
  DROP_INSTALLED_USERS,
  FORGET_SOURCE,
  masterStatements,
  replicationUserStatements,
} from './statements.ts';
import {makeFor, prepareWorkplace, type MysqlEngineConfig, type Workplace} from './workplace.ts';

const NO_CERTIFICATE = 'the service gives no certificate to MariaDB';

export async function createMysqlEngine(config: MysqlEngineConfig): Promise<Engine> {
  const place = await prepareWorkplace(config);
  return {
    initialise: report => initialise(place, report),
    start: (options, report) => start(place, options, report),
  };
}

async function initialise(place: Workplace, report: ReportStep): Promise<readonly EngineSetting[]> {
  await inspectMariadb(place.bin);
  await timed('install-db', report, () => install(place));
  return timed('create-users', report, async () => {
    const settings = {serverId: 1, role: 'writer', parameters: {}} as const;
    const server = await startOnPort(place, settings, 0, DROP_INSTALLED_USERS);
    const catalogue = await readSettings(server.session);
    await server.stop('fast');
    return catalogue;
  });
}

async function install(place: Workplace): Promise<void> {
  await makeFor(place.user, place.files);
  await makeFor(place.user, place.temporary);
  await writeConfiguration(place, {port: 0, serverId: 1, role: 'bootstrap', parameters: {}});
  const {configFile} = configurationFiles(place.configDirectory);
  const exit = await runProgram({
    ...place,
    environment: {},
    argv: [
      installProgram(place.bin),
      `--defaults-file=${configFile}`,
      '--auth-root-authentication-method=normal',
      '--skip-name-resolve',
      '--skip-test-db',
    ],
  });
  if (exit.code === 0) return;
  throw new BorealisError(
    'unavailable',
    'engine-start',
    `mariadb-install-db ended with ${exitText(exit)}${lastComplaint(place.log.tail())}`,
  );
}

async function start(
  place: Workplace,
  options: EngineStartOptions,
  report: ReportStep,
): Promise<RunningEngine> {
  const {source, firstStart, parameters} = options;
  assert(options.tls === null, NO_CERTIFICATE);
  const isReader = source !== null;
  await removeLeftovers(place);
  if (firstStart || isReader) await removeReplicaFiles(place);
  const settings = {
    serverId: await serverId(place, firstStart || isReader),
    role: isReader ? 'reader' : 'writer',
    parameters,
  } as const;
  const server = await timed('recover', report, () =>
    startOnPort(place, settings, options.port, isReader ? [] : initialStatements(options)),
  );
  try {
    if (source !== null) {
      await timed('follow-writer', report, () => startFollowing(server.session, source));
    }
    const [row] = await server.session.query('SELECT VERSION() AS version');
    const version = String(row?.['version']).replace(/-.*$/, '');
    return runningEngine(place, server, {...settings, port: server.port}, `MariaDB ${version}`);
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
}

function initialStatements(options: EngineStartOptions): string[] {
  const {firstStart, master, readerVerifier, databaseName} = options;
  return [
    ...(firstStart ? FORGET_SOURCE : []),
    ...(readerVerifier === null ? [] : replicationUserStatements(readerVerifier)),
    ...(master === null ? [] : masterStatements(master)),
    ...(databaseName === null ? [] : [createDatabase(databaseName)]),
  ];
}

function runningEngine(
  place: Workplace,
  server: MysqlServer,
  settings: SettingsInput,
  serverVersion: string,
): RunningEngine {
  const {session, port} = server;
  const fixed = new Set(Object.keys(fixedSettings(place, settings)));
  let {parameters} = settings;
  let isStopping = false;
  const ended = endedUnasked('MariaDB', server, () => isStopping);
  return {
    port,
    serverVersion,
    failed: Promise.race([ended, sessionLost(server, () => isStopping)]),
    setMaster: master => session.run(masterStatements(master)),
    configure: async wanted => {
      await configure(session, parameters, wanted, fixed);
      parameters = wanted;
      return true;
    },
    setTls: () => Promise.reject(new AssertionError(NO_CERTIFICATE)),
    isTokenUser: () => Promise.resolve(false),
    prepareFork: report => prepareFork(session, report),
    statistics: () => readStatistics(session),
    replication: engineReplication(session),
    stop: async mode => {
      isStopping = true;
      await server.stop(mode);
    },
  };
}

/** How long the end of a server, which ends its sessions first, may take to be seen. */
const EXIT_NOTICE_MS = 2_000;

/** Without our session nobody can look after the server: it is started again. */
async function sessionLost(
  {session, exited}: MysqlServer,
  isStopping: () => boolean,
): Promise<Error> {
  const reason = await session.lost;
  await Promise.race([exited, sleep(EXIT_NOTICE_MS)]);
  if (isStopping()) return new Promise<never>(() => undefined);
  const message = 'the session of Borealis on the server was ended';
  return new BorealisError('unavailable', 'engine-session-lost', message, reason);
}

async function timed<T>(name: string, report: ReportStep, work: () => Promise<T>): Promise<T> {
  const beganMs = systemClock.monotonicMs();
  const result = await work();
  report({name, durationMs: systemClock.monotonicMs() - beganMs});
  return result;
}
