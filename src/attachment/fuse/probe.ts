/** Whether this machine can mount volumes through FUSE, found out by trying, step by step. */
import {closeSync} from 'node:fs';
import {mkdtemp, rmdir} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {errorMessage, systemErrorCode} from '../../base/errors.ts';
import {fuseDevice, mountArguments, openFuseDevice, run, type RunResult} from './mount.ts';
import {namespaceCommand} from './namespace.ts';

export type FuseProbe = {
  readonly available: boolean;
  /** Why not, in one sentence; null when available. */
  readonly reason: string | null;
  /** What to do about it, in one sentence; null when available. */
  readonly remedy: string | null;
  /** Instances run with root's privileges rather than in a user namespace. */
  readonly asRoot: boolean;
};

type Obstacle = {readonly reason: string; readonly remedy: string};

/** Opens the device, makes the namespaces, and mounts (in them) on an empty directory. Leaves nothing behind. */
export async function probeFuse(): Promise<FuseProbe> {
  const device = fuseDevice();
  const isUid0 = process.getuid?.() === 0;
  let obstacle = process.platform === 'linux' ? deviceObstacle(device) : NOT_LINUX;
  // Root without the capability to mount, as in a plain container, may still have user namespaces.
  for (const asRoot of obstacle === null ? [isUid0, false] : []) {
    obstacle = await mountObstacle(device, asRoot);
    if (obstacle === null) return {available: true, reason: null, remedy: null, asRoot};
  }
  const {reason, remedy} = obstacle ?? NOT_LINUX;
  return {available: false, reason, remedy, asRoot: isUid0};
}

const NOT_LINUX: Obstacle = {
  reason: `FUSE mounts need Linux; this is ${process.platform}.`,
  remedy: 'Run Borealis on Linux, or use the PGlite runtime.',
};

function deviceObstacle(device: string): Obstacle | null {
  try {
    closeSync(openFuseDevice(device));
    return null;
  } catch (error) {
    const code = systemErrorCode(error instanceof Error ? error.cause : undefined);
    if (code === 'ENOENT' || code === 'ENXIO' || code === 'ENODEV') {
      return {
        reason: `There is no FUSE device at ${device}.`,
        remedy:
          'Load the kernel module (modprobe fuse), or start the container with --device /dev/fuse.',
      };
    }
    return {
      reason: errorMessage(error),
      remedy: `Let this user open it (chmod 666 ${device}), or run Borealis as root.`,
    };
  }
}

async function mountObstacle(device: string, asRoot: boolean): Promise<Obstacle | null> {
  const namespaces = await tryIn(['true'], asRoot);
  if (namespaces.status !== 0) {
    return {
      reason: `Namespaces cannot be made: ${namespaces.complaint || 'unshare failed'}.`,
      remedy: asRoot
        ? 'Start the container with --cap-add SYS_ADMIN, or allow user namespaces in it.'
        : 'Allow unprivileged user namespaces (kernel.unprivileged_userns_clone, AppArmor, seccomp), or run Borealis as root.',
    };
  }
  const directory = await mkdtemp(join(tmpdir(), 'borealis-probe-'));
  try {
    const script = 'exec 3<>"$0" && exec mount "$@"';
    const mounted = await tryIn(
      ['sh', '-c', script, device, ...mountArguments(3, directory)],
      asRoot,
    );
    if (mounted.status === 0) return null;
    return {
      reason: `The kernel refuses a FUSE mount: ${mounted.complaint || 'mount failed'}.`,
      remedy:
        'Allow mounts in the container (--cap-add SYS_ADMIN, --security-opt apparmor=unconfined).',
    };
  } finally {
    await rmdir(directory);
  }
}

async function tryIn(argv: readonly string[], asRoot: boolean): Promise<RunResult> {
  const [program = '', ...args] = namespaceCommand(argv, {asRoot});
  try {
    return await run(program, args);
  } catch (error) {
    return {status: null, complaint: errorMessage(error)};
  }
}
