/** A program of an engine as a process: started as the engine's user, its output in the engine's log. */
import {spawn, type ChildProcess} from 'node:child_process';
import {sleep} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import type {EngineLog} from './engine-log.ts';
import type {EngineUser} from './launch.ts';

export type ExitReason = {readonly code: number | null; readonly signal: NodeJS.Signals | null};

export type ProgramOptions = {
  readonly argv: readonly string[];
  readonly user: EngineUser;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: EngineLog;
};

export type ServerProcess = {
  readonly pid: number;
  readonly exited: Promise<ExitReason>;
  /** Nothing once it has ended. */
  readonly signal: (name: NodeJS.Signals) => void;
  /** Whether it has ended by then. */
  readonly endsWithin: (limitMs: number) => Promise<boolean>;
};

/** Resolves when it runs; rejects with engine-binary when it cannot be run. */
export async function spawnServer(options: ProgramOptions): Promise<ServerProcess> {
  const child = spawnAs(options);
  const exited = exitOf(child);
  const pid = await startedPid(child, options.argv[0] ?? '');
  let gone = false;
  void exited.then(() => (gone = true));
  return {
    pid,
    exited,
    signal: name => {
      if (!gone) child.kill(name);
    },
    endsWithin: limitMs => endsWithin(exited, limitMs),
  };
}

/** Runs a program to its end and returns how it ended. */
export async function runProgram(options: ProgramOptions): Promise<ExitReason> {
  const {exited} = await spawnServer(options);
  return exited;
}

/** `status 1`, `signal SIGKILL`. */
export function exitText({code, signal}: ExitReason): string {
  return signal === null ? `status ${code ?? 'unknown'}` : `signal ${signal}`;
}

/** What a running engine tells as its failure: never resolves when the end was asked for. */
export async function endedUnasked(
  program: string,
  {exited}: Pick<ServerProcess, 'exited'>,
  isStopping: () => boolean,
): Promise<Error> {
  const exit = await exited;
  // A promise that nobody resolves: an end that was asked for is no failure.
  if (isStopping()) return new Promise<never>(() => undefined);
  const message = `${program} ended by itself with ${exitText(exit)}`;
  return new BorealisError('unavailable', 'engine-ended', message);
}

function spawnAs({user, argv, environment, log: {descriptor}}: ProgramOptions): ChildProcess {
  const {file, args, uid, gid} = user.command(argv);
  return spawn(file, args, {
    cwd: '/',
    env: {PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', ...environment},
    stdio: ['ignore', descriptor, descriptor],
    ...(uid === undefined ? {} : {uid}),
    ...(gid === undefined ? {} : {gid}),
  });
}

function exitOf(child: ChildProcess): Promise<ExitReason> {
  return new Promise(resolve => {
    child.once('exit', (code, signal) => resolve({code, signal}));
  });
}

function startedPid(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid ?? 0));
    child.once('error', error => {
      const message = `${program} cannot be run: ${error.message}`;
      reject(new BorealisError('unavailable', 'engine-binary', message, error));
    });
  });
}

async function endsWithin(exited: Promise<unknown>, limitMs: number): Promise<boolean> {
  const late = new AbortController();
  return Promise.race([
    exited.then(() => {
      late.abort();
      return true;
    }),
    // Aborted, the sleep ends at once; by then the race is won.
    sleep(limitMs, late.signal).then(() => false),
  ]);
}
