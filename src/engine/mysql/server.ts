/**
 * The server process: started on a port of its own over a directory that an earlier server may have left
 * in any state, watched until it is ready, ended.
 *
 *     init.sql    runs before anyone can connect: what a clone forgets, users, the first database
 *     ready       our session is there, and the account by which it came is not
 *
 * init.sql is removed then, for it holds password hashes.
 */
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import {sleep, systemClock} from '../../base/clock.ts';
import {BorealisError, systemErrorCode} from '../../base/errors.ts';
import type {StopMode} from '../engine.ts';
import {freeLoopbackPort, PORT_ATTEMPTS_MAX, portInUse} from '../loopback-port.ts';
import {exitText, spawnServer, type ExitReason, type ServerProcess} from '../server-process.ts';
import {openSession, type Session} from './session.ts';
import {
  configurationFiles,
  writeConfiguration,
  writePrivately,
  type SettingsInput,
} from './settings.ts';
import {CREATE_ADMIN, DROP_ADMIN} from './statements.ts';
import type {Workplace} from './workplace.ts';

/** Well below what a person notices; a refused connection to a Unix socket each. */
const READY_POLL_MS = 5;
/** Redo of a full log takes a second; a slow disk may take minutes. */
const READY_TIMEOUT_MS = 10 * 60_000;
/** An orderly stop writes what is dirty in the buffer pool. */
const STOP_FAST_TIMEOUT_MS = 60_000;
const PORT_TAKEN =
  /Bind on TCP\/IP port.*Address already in use|Do you already have another server/;

export type MysqlServer = {
  readonly port: number;
  readonly session: Session;
  readonly exited: Promise<ExitReason>;
  stop(mode: StopMode): Promise<void>;
};

/** Port 0 takes any free one. `initial`: statements for before the first client. */
export async function startOnPort(
  place: Workplace,
  settings: Omit<SettingsInput, 'port'>,
  wanted: number,
  initial: readonly string[],
): Promise<MysqlServer> {
  const {configFile, initFile} = configurationFiles(place.configDirectory);
  for (let attempt = 1; ; attempt++) {
    const port = wanted === 0 ? await freeLoopbackPort() : wanted;
    place.log.mark();
    await writeConfiguration(place, {...settings, port});
    await writePrivately(place, initFile, initFileText([...CREATE_ADMIN, ...initial]));
    const process = await spawnServer({
      ...place,
      environment: {},
      argv: [join(place.bin, 'mariadbd'), `--defaults-file=${configFile}`],
    });
    try {
      const session = await ready(place, process);
      return {port, session, exited: process.exited, stop: mode => stop(process, session, mode)};
    } catch (error) {
      await stop(process, null, 'immediate');
      const taken = PORT_TAKEN.test(place.log.tail());
      if (taken && wanted !== 0) throw portInUse(wanted, error);
      if (!taken || attempt === PORT_ATTEMPTS_MAX) throw error;
    } finally {
      await rm(initFile, {force: true});
    }
  }
}

/** One statement a line, as the server reads the file. */
function initFileText(statements: readonly string[]): string {
  return statements.map(statement => `${statement};\n`).join('');
}

async function ready(place: Workplace, {exited}: ServerProcess): Promise<Session> {
  let ended: ExitReason | undefined;
  void exited.then(reason => (ended = reason));
  const deadlineMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  for (;;) {
    if (ended !== undefined) {
      throw new BorealisError(
        'unavailable',
        'engine-start',
        `MariaDB ended with ${exitText(ended)} before it was ready${lastComplaint(place.log.tail())}`,
      );
    }
    if (systemClock.monotonicMs() > deadlineMs) {
      throw new BorealisError(
        'unavailable',
        'engine-start',
        `MariaDB was not ready within ${READY_TIMEOUT_MS / 1000} s`,
      );
    }
    const session = await tryToConnect(place.socket);
    if (session !== null) {
      await session.run(DROP_ADMIN);
      return session;
    }
    await sleep(READY_POLL_MS);
  }
}

/** Null while nobody listens. */
async function tryToConnect(socket: string): Promise<Session | null> {
  try {
    return await openSession(socket);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return null;
    // A server that ends cuts who is connecting; the next turn of the loop tells why it ended.
    if (code === 'ECONNRESET' || code === 'PROTOCOL_CONNECTION_LOST') return null;
    throw error;
  }
}

async function stop(
  process: ServerProcess,
  session: Session | null,
  mode: StopMode,
): Promise<void> {
  session?.close();
  if (mode === 'fast') {
    process.signal('SIGTERM');
    if (await process.endsWithin(STOP_FAST_TIMEOUT_MS)) return;
  }
  process.signal('SIGKILL');
  await process.exited;
}

/** What the log says is wrong, as `: …`: its first error of the start or else its last line; empty when it is empty. */
export function lastComplaint(log: string): string {
  const lines = log.split('\n').filter(line => line !== '');
  const errors = lines.filter(text => text.includes('[ERROR]') && !text.endsWith('Aborting'));
  const line = errors.at(-1) ?? lines.at(-1);
  return line === undefined ? '' : `: ${line.replace(/^.*?\[ERROR\]\s*/, '')}`;
}
