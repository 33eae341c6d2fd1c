/** The file systems that the list is run on, and how each is reached. */
import {execFile} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {Mounted} from '../src/attachment/fuse/testing/mounted.ts';
import {VolumeFilesystem} from '../src/attachment/pglite/volume-filesystem.ts';
import {errorMessage, systemErrorCode} from '../src/base/errors.ts';
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {openStorage} from '../src/engine/pglite/open-storage.ts';
import {directoryCalls, pgliteCalls, type Calls} from './calls.ts';
import type {Cleanup} from './cleanup.ts';
import {COMMON_CHECKS, type CommonCheck} from './common-checks.ts';
import type {Outcome, Subject} from './outcome.ts';

export type ListOptions = {
  /** Leaves out what takes long. */
  readonly fast: boolean;
};

const NODE_CACHE_BYTES = 16 * 2 ** 20;
const OUTPUT_BYTES_MAX = 64 * 2 ** 20;
const POSIX = fileURLToPath(new URL('posix/main.py', import.meta.url));
const RUN = fileURLToPath(new URL('run.ts', import.meta.url));

/** The whole list on a directory that exists; what it makes there is removed. */
export async function checkDirectory(directory: string, options: ListOptions): Promise<Outcome[]> {
  const place = mkdtempSync(join(directory, 'conformance-'));
  try {
    return [
      ...runCommon(directoryCalls(place), options),
      ...(await runPosix(place, options.fast ? ['--fast'] : [])),
    ];
  } finally {
    rmSync(place, {recursive: true});
  }
}

/** The list on the file system of the machine's temporary directory: a check that fails here is wrong. */
export async function checkHost(options: ListOptions): Promise<Subject> {
  return {name: 'host', outcomes: await checkDirectory(tmpdir(), options)};
}

/** The list on a new volume, mounted through FUSE in namespaces of its own. */
export async function checkFuse(options: ListOptions, cleanup: Cleanup): Promise<Subject> {
  const name = 'FUSE';
  const probe = await probeFuse();
  if (!probe.available) {
    const reason = `no FUSE mounts here: ${probe.reason ?? ''}`;
    return {name, outcomes: [{name: 'all checks', outcome: 'skipped', reason}]};
  }
  const starting = Mounted.start({backing: 'volume', asRoot: probe.asRoot});
  const cancel = cleanup.add(async () => (await starting).abandon());
  const mounted = await starting;
  try {
    const result = join(mounted.base, 'result.json');
    const fast = options.fast ? '--fast' : '';
    const tsx = import.meta.resolve('tsx');
    // It runs where the mount can be seen, and ends with 1 when a check failed.
    await mounted.run(
      `'${process.execPath}' --import ${tsx} '${RUN}' --mount "$PWD" --json ${fast} > '${result}' || [ $? = 1 ]`,
    );
    const {subjects} = JSON.parse(readFileSync(result, 'utf8')) as {subjects: Subject[]};
    const status = await mounted.close();
    const closed: Outcome = {
      name: 'the volume is detached in order',
      outcome: status === 0 ? 'passed' : 'failed',
      reason: status === 0 ? null : `the mounting process ended with ${status}: ${mounted.log}`,
    };
    return {name, outcomes: [...subjects.flatMap(subject => subject.outcomes), closed]};
  } finally {
    cancel();
    await mounted.abandon();
  }
}

/** The part of the list that PGlite's file system has calls for, on a new volume in this process. */
export function checkPglite(options: ListOptions): Subject {
  const base = mkdtempSync(join(tmpdir(), 'borealis-conformance-'));
  const config = {
    zones: [{name: 'a', directory: base}],
    volume: 1 as VolumeNumber,
    format: true,
    nodeCacheBytes: NODE_CACHE_BYTES,
    reserveBytes: 0,
  };
  const {volume, fileSystem, root} = openStorage(config, true);
  try {
    const filesystem = new VolumeFilesystem({
      fileSystem,
      root,
      barrier: () => void volume.barrier(),
      betweenCalls: () => undefined,
      onUnreadable: () => undefined,
      beforeWrite: () => undefined,
      onWalWrite: () => undefined,
    });
    return {name: 'PGlite', outcomes: runCommon(pgliteCalls(filesystem), options)};
  } finally {
    volume.close();
    rmSync(base, {recursive: true});
  }
}

function runCommon(calls: Calls, {fast}: ListOptions): Outcome[] {
  const umask = process.umask(0o022);
  try {
    return COMMON_CHECKS.filter(({slow}) => !(fast && slow === true)).map((check, index) =>
      runOne(calls, check, `/common-${index}`),
    );
  } finally {
    process.umask(umask);
  }
}

function runOne(calls: Calls, check: CommonCheck, directory: string): Outcome {
  const {name} = check;
  try {
    calls.mkdir(directory, 0o755);
    check.run(calls, directory);
    return {name, outcome: 'passed', reason: null};
  } catch (error) {
    return {name, outcome: 'failed', reason: errorMessage(error)};
  }
}

/** The checks in Python, whose standard library has the calls that Node.js lacks. */
async function runPosix(directory: string, args: readonly string[]): Promise<Outcome[]> {
  try {
    return await runPython([directory, ...args]);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    return posixNames().map(name => ({
      name,
      outcome: 'skipped',
      reason: 'there is no python3 here, whose library has the calls',
    }));
  }
}

async function runPython(args: readonly string[]): Promise<Outcome[]> {
  const {stdout} = await promisify(execFile)('python3', ['-B', POSIX, ...args], {
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Outcome);
}

/** Names of the checks, read from their source: to say what is skipped without Python. */
function posixNames(): string[] {
  const files = ['names', 'data', 'allocation', 'mapping', 'locks', 'directories', 'metadata'];
  return files.flatMap(file => {
    const source = readFileSync(new URL(`posix/${file}.py`, import.meta.url), 'utf8');
    return [...source.matchAll(/^@check\('([^']+)'/gm)].map(match => match[1] ?? '');
  });
}
