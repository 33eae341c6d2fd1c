/**
 * Mounts and unmounts through the programs of util-linux, so that no native code is needed. They run
 * inside the instance's private mount namespace.
 */
import {spawn, spawnSync} from 'node:child_process';
import {constants, openSync} from 'node:fs';
import {withDeadline} from '../../base/clock.ts';
import {BorealisError, errorMessage} from '../../base/errors.ts';
import {TRANSFER_BYTES_MAX} from './abi.ts';

/** An orderly unmount writes back what the page cache holds. After this long it is forced. */
const UNMOUNT_LIMIT_MS = 30_000;
/** How many characters of a program's complaint are passed on. */
const COMPLAINT_LENGTH_MAX = 500;

/** The device to open: `/dev/fuse`, or what `BOREALIS_FUSE_DEVICE` names. */
export function fuseDevice(): string {
  return process.env['BOREALIS_FUSE_DEVICE'] ?? '/dev/fuse';
}

export function openFuseDevice(path: string): number {
  try {
    return openSync(path, constants.O_RDWR);
  } catch (error) {
    throw new BorealisError(
      'unavailable',
      'fuse-device',
      `Cannot open the FUSE device ${path}: ${errorMessage(error)}.`,
      error,
    );
  }
}

/** The options of mount(8) for a FUSE file system whose requests arrive at `fd`. */
export function mountArguments(fd: number, directory: string): string[] {
  const options = [
    `fd=${fd}`,
    'rootmode=40755',
    'user_id=0',
    'group_id=0',
    // The engine is another user than the one who mounts; the kernel checks its permissions.
    'allow_other',
    'default_permissions',
    `max_read=${TRANSFER_BYTES_MAX}`,
    'nosuid',
    'nodev',
  ];
  return ['-i', '-t', 'fuse', '-o', options.join(','), 'borealis', directory];
}

/** Mounts `directory`. No request is served meanwhile, and none needs to be. */
export async function mount(deviceFd: number, directory: string): Promise<void> {
  const inheritedFd = 3;
  const {status, complaint} = await run('mount', mountArguments(inheritedFd, directory), deviceFd);
  if (status !== 0) {
    throw new BorealisError(
      'unavailable',
      'fuse-mount',
      `Cannot mount ${directory}: ${complaint || `mount ended with status ${status}`}.`,
    );
  }
}

/**
 * Unmounts in order: what the page cache holds is written first, by requests to the serving thread.
 * If somebody still uses the mount, it is written, then the connection is cut under their feet.
 */
export async function unmount(directory: string): Promise<void> {
  try {
    const {status} = await withDeadline(
      run('umount', ['-i', directory]),
      UNMOUNT_LIMIT_MS,
      tooSlow,
    );
    if (status === 0) return;
    await withDeadline(run('sync', ['-f', directory]), UNMOUNT_LIMIT_MS, tooSlow);
  } catch (error) {
    if (!(error instanceof BorealisError)) throw error;
  }
  abortMount(directory);
}

/**
 * Cuts the connection and takes the mount away without asking anything of the serving thread: every
 * request that waits, the thread's own read included, ends with an error.
 */
export function abortMount(directory: string): void {
  // Lazy and forced, umount(8) does not touch the mount itself.
  spawnSync('umount', ['-i', '-c', '-f', '-l', directory], {stdio: 'ignore'});
}

function tooSlow(): BorealisError {
  return new BorealisError('unavailable', 'fuse-unmount', 'Unmounting takes too long.');
}

export type RunResult = {
  readonly status: number | null;
  /** What it wrote to its standard error. */
  readonly complaint: string;
};

/** Runs a program of util-linux to its end, with `fd` as its descriptor 3. */
export function run(program: string, args: readonly string[], fd?: number): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...(fd === undefined ? [] : [fd])],
      env: {...process.env, LC_ALL: 'C'},
    });
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, COMPLAINT_LENGTH_MAX);
    });
    child.once('error', error => {
      reject(
        new BorealisError(
          'unavailable',
          'fuse-mount',
          `Cannot run ${program}: ${error.message}.`,
          error,
        ),
      );
    });
    child.once('close', status => resolve({status, complaint: complaint.trim()}));
  });
}
