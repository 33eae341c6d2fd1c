/**
 * PostgreSQL in WebAssembly on a volume, in this process: what runs where native PostgreSQL on FUSE
 * cannot.
 *
 *     clients ─▶ front end ─▶ turns ─▶ engine link ═▶ worker: backend ─▶ volume file system ─▶ volume
 *     (TCP)      (login)      (one at a time)         (all synchronous)
 *
 * It serves one database, runs one session at a time and has no replication; README and `doctor` say so,
 * and each connection is told by a NOTICE. When the worker fails, nothing more is answered: `failed`
 * resolves, the process is to end, and the next one recovers from the last barrier.
 */
import {writeSync} from 'node:fs';
import {join} from 'node:path';
import type {Attachment, ZoneConfig} from '../../attachment/attachment.ts';
import {systemClock, withDeadline} from '../../base/clock.ts';
import {BorealisError, errorMessage} from '../../base/errors.ts';
import {createLogger} from '../../base/log.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import type {Membership} from '../../page-store/membership.ts';
import type {ZoneEvent} from '../../page-store/zone.ts';
import type {
  EngineMaster,
  EngineTls,
  GoldenVolume,
  ReportStep,
  RunningEngine,
  StopMode,
} from '../engine.ts';
import {ENGINE_LOG_NAME, openEngineLog, type EngineLog} from '../engine-log.ts';
import {createDatabase, isTokenUser, setMaster} from '../postgres/roles.ts';
import type {Session} from '../postgres/session.ts';
import {isTlsForced} from '../postgres/settings.ts';
import {adminSession} from './admin-session.ts';
import {EngineLink} from './engine-link.ts';
import type {EngineLinkOptions} from './engine-link.ts';
import {FrontEnd} from './front-end.ts';
import {makeGoldenVolume, withEngine} from './golden.ts';
import {Housekeeping} from './housekeeping.ts';
import {Turns} from './turns.ts';
import type {Report} from './wire.ts';

export type PgliteConfig = {
  readonly name: string;
  readonly zones: readonly ZoneConfig[];
  /** See `StoreConfig`. */
  readonly membership?: Membership | undefined;
  readonly volume: VolumeNumber;
  readonly nodeCacheBytes: number;
  readonly reserveBytes: number;
  /** `engine.log` is written here. */
  readonly runDirectory: string;
  readonly role: 'golden' | 'writer';
  /** The volume was forked from another cluster and has not been started since. */
  readonly firstStart: boolean;
  readonly master: EngineMaster | null;
  /** Loopback TCP port to listen on; 0 takes any free one. */
  readonly port: number;
  /** The database that is served; created, owned by the master, if it does not exist. Null: `postgres`. */
  readonly databaseName: string | null;
  /** Null: without TLS. */
  readonly tls: EngineTls | null;
  readonly parameters: Readonly<Record<string, string>>;
  /** Hears how zones fare, where there are several, what was repaired, and what is damaged. */
  readonly onZoneEvent?: (event: ZoneEvent) => void;
};

export type RunningPglite = RunningEngine & {
  readonly attachment: Attachment;
  /** The end of the engine's log. */
  readonly logTail: () => string;
};

const DEFAULT_DATABASE = 'postgres';
/** A fork's recovery replays what was written since the last checkpoint: below this it is not worth one. */
const FORK_WAL_KIB_MAX = 2 * 1024;
/** A fork waits this long for a turn to checkpoint; then it is taken as it is, and recovery costs more. */
const FORK_CHECKPOINT_MAX_MS = 500;
/** A clean stop waits this long for the statement that runs. */
const STOP_MAX_MS = 30_000;

const SHUTDOWN: Report = {
  severity: 'FATAL',
  code: '57P01',
  message: 'terminating connection due to administrator command',
};
const CRASH: Report = {
  severity: 'FATAL',
  code: '57P02',
  message: 'terminating connection because the engine failed',
  hint: 'Connect again in a moment: the instance restarts and recovers.',
};

/**
 * The engine's settings when `config.role` is `golden`: the volume is made, and closed cleanly. `onLog` gets the engine's
 * log before anything can fail. Throws a BorealisError when the engine does not start.
 */
export async function startPglite(
  config: PgliteConfig,
  report: ReportStep,
  onLog: (log: EngineLog) => void = () => undefined,
): Promise<RunningPglite | GoldenVolume> {
  const log = openEngineLog(join(config.runDirectory, ENGINE_LOG_NAME));
  onLog(log);
  const options: EngineLinkOptions = {
    attachment: {
      zones: config.zones,
      membership: config.membership,
      volume: config.volume,
      format: config.role === 'golden',
      nodeCacheBytes: config.nodeCacheBytes,
      reserveBytes: config.reserveBytes,
    },
    database: config.databaseName ?? DEFAULT_DATABASE,
    parameters: config.parameters,
    initialise: false,
    onZoneEvent: config.onZoneEvent ?? (() => undefined),
    onLog: line => {
      writeSync(log.descriptor, `${line}\n`);
    },
  };
  if (config.role === 'writer') {
    return {...(await serve(config, options, report)), logTail: () => log.tail()};
  }
  return {settings: await makeGoldenVolume(options, report)};
}

async function serve(
  config: PgliteConfig,
  options: EngineLinkOptions,
  report: ReportStep,
): Promise<Omit<RunningPglite, 'logTail'>> {
  const link = await openDatabase(config, options, report);
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>(resolve => {
    fail = resolve;
  });
  const logger = createLogger('pglite');
  const turns = new Turns(link, error => {
    fail(error);
    void link.terminate();
  });
  const asAdmin = <T>(work: (session: Session) => Promise<T>): Promise<T> =>
    turns.admin(exchange => work(adminSession(exchange)));
  const beganMs = systemClock.monotonicMs();
  const version = await asAdmin(async session => {
    if (config.firstStart) await forgetSource(session);
    if (config.master !== null) await setMaster(session, config.master);
    const [row] = await session.query(`SELECT current_setting('server_version') AS version`);
    return String(row?.['version']);
  });
  report({name: 'configure-engine', durationMs: systemClock.monotonicMs() - beganMs});
  const {tls, parameters, port} = config;
  const doors = {tls, isTlsForced: isTlsForced(parameters)};
  const frontEnd = await FrontEnd.listen({link, turns, log: logger, ...doors}, port);
  const housekeeping = new Housekeeping(link, turns, logger);
  void link.failed.then(async error => {
    housekeeping.stop();
    fail(error);
    await frontEnd.close(CRASH);
  });
  const stop = async (mode: StopMode): Promise<void> => {
    housekeeping.stop();
    const closed = frontEnd.close(SHUTDOWN);
    if (mode === 'immediate') await link.terminate();
    else await withDeadline(link.close(), STOP_MAX_MS, stopTimeout);
    await closed;
  };
  return {
    port: frontEnd.port,
    serverVersion: `PostgreSQL ${version} (PGlite)`,
    failed,
    setMaster: master => asAdmin(session => setMaster(session, master)),
    // Its one backend takes settings from its command line alone.
    configure: async () => false,
    setTls: async next => frontEnd.setTls(next),
    isTokenUser: user => asAdmin(session => isTokenUser(session, user)),
    prepareFork: report_ => prepareFork(housekeeping, report_),
    // Its counters are in the backend, which is its clients'.
    statistics: async () => ({...frontEnd.connections, activity: null}),
    replication: null,
    stop,
    attachment: attachmentOf(link, failed),
  };
}

/** Opens the engine on the database to serve, creating that first when it does not exist. */
async function openDatabase(
  config: PgliteConfig,
  options: EngineLinkOptions,
  report: ReportStep,
): Promise<EngineLink> {
  const {databaseName, master} = config;
  if (databaseName === null || databaseName === DEFAULT_DATABASE || master === null) {
    return EngineLink.open(options, report);
  }
  try {
    return await EngineLink.open(options, report);
  } catch (error) {
    if (!errorMessage(error).includes(`database "${databaseName}" does not exist`)) throw error;
  }
  const steps: ReportStep = ({name, durationMs}) =>
    report({name: `create-database: ${name}`, durationMs});
  await withEngine({...options, database: DEFAULT_DATABASE}, steps, async session => {
    await setMaster(session, master);
    await createDatabase(session, databaseName, master.name);
  });
  return EngineLink.open(options, report);
}

/** A clone drops what makes it act as its source. Slots and workers cannot exist here; their records can. */
async function forgetSource(session: Session): Promise<void> {
  const slots = await session.query('SELECT slot_name FROM pg_replication_slots');
  for (const {slot_name: name} of slots) {
    await session.query('SELECT pg_drop_replication_slot($1)', [name]);
  }
  const subscriptions = await session.query(
    `SELECT quote_ident(subname) AS name FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  for (const {name} of subscriptions) {
    await session.query(`ALTER SUBSCRIPTION ${String(name)} DISABLE`);
    await session.query(`ALTER SUBSCRIPTION ${String(name)} SET (slot_name = NONE)`);
    await session.query(`DROP SUBSCRIPTION ${String(name)}`);
  }
}

async function prepareFork(housekeeping: Housekeeping, report: ReportStep): Promise<void> {
  const beganMs = systemClock.monotonicMs();
  let name = 'checkpoint-engine';
  try {
    const isDone = await withDeadline(
      housekeeping.checkpoint(FORK_WAL_KIB_MAX),
      FORK_CHECKPOINT_MAX_MS,
      () => new BorealisError('unavailable', 'engine-checkpoint-late', 'the checkpoint is late'),
    );
    if (!isDone) name = 'inspect-wal';
  } catch (error) {
    if (!(error instanceof BorealisError) || error.code !== 'engine-checkpoint-late') throw error;
    name = 'checkpoint-engine-late';
  }
  report({name, durationMs: systemClock.monotonicMs() - beganMs});
}

function attachmentOf(link: EngineLink, failed: Promise<Error>): Attachment {
  let detached: Promise<void> | undefined;
  return {
    fork: (child, options = {}) => link.control('fork', {child, options}),
    setRetention: async seconds => {
      await link.control('setRetention', {seconds});
    },
    checkpoint: () => link.control('checkpoint', {}),
    statistics: () => link.control('statistics', {}),
    changeZones: zones => link.control('changeZones', {config: zones}),
    detach: () => {
      detached ??= detach(link);
      return detached;
    },
    failed,
  };
}

async function detach(link: EngineLink): Promise<void> {
  // After a failure or an immediate stop there is nothing to detach from.
  if (!link.hasEnded) await link.control('detach', {});
  await link.terminate();
}

function stopTimeout(): BorealisError {
  return new BorealisError(
    'unavailable',
    'engine-stop-timeout',
    `the engine did not stop within ${STOP_MAX_MS / 1000} s; stop it with mode immediate`,
  );
}
