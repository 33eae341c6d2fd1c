/**
 * A native engine on a volume: private root, attachment through FUSE, server.
 *
 * The volume was left by a clean close, a fork or a crash. Whatever an earlier life wrote, the
 * checkpoint below makes durable before the server recovers from it: so the server may trust what
 * it reads without an fsync of every file, and the mount is fresh, so that no page waits in the kernel.
 */
import {join} from 'node:path';
import {attachFuse, startFuseWorkers} from '../attachment/fuse/fuse-attachment.ts';
import {fuseDevice} from '../attachment/fuse/mount.ts';
import {engineCommand} from '../attachment/fuse/namespace.ts';
import type {MountedAttachment} from '../attachment/attachment.ts';
import {assert, unreachable} from '../base/assert.ts';
import {ENGINE_LOG_NAME, openEngineLog} from '../engine/engine-log.ts';
import {unprivilegedUser, type EngineUser} from '../engine/launch.ts';
import {createMysqlEngine} from '../engine/mysql/mysql-engine.ts';
import {createPostgresEngine} from '../engine/postgres/postgres-engine.ts';
import type {Engine, EngineName} from '../engine/engine.ts';
import type {ZoneEvent} from '../page-store/zone.ts';
import type {InstanceConfig, StepReport} from './messages.ts';
import {mountPrivateRoot} from './private-root.ts';
import type {GoldenVolume} from '../engine/engine.ts';
import {runningInstance, timed, type LogTail, type RunningInstance} from './running-instance.ts';

export type NativeParts = {
  readonly config: InstanceConfig;
  /** With root's privileges rather than as root of a user namespace. */
  readonly asRoot: boolean;
  readonly steps: {push(step: StepReport): unknown};
  readonly onZoneEvent: (event: ZoneEvent) => void;
};

/** Begun as soon as this file is loaded: the process waits for its configuration meanwhile. */
const workers = startFuseWorkers();

/** Returns the engine's settings when `config.role` was `golden` and all is done. */
export async function startNative(
  parts: NativeParts,
  onLog: (log: LogTail) => void,
): Promise<RunningInstance | GoldenVolume> {
  const {config, asRoot, steps} = parts;
  assert(config.bin !== null, 'a native engine has programs');
  const log = openEngineLog(join(config.runDirectory, ENGINE_LOG_NAME));
  onLog(log);
  const user = await engineUser(asRoot, config.engine);
  const root = await timed('private-root', steps, () =>
    mountPrivateRoot([
      ...config.zones.map(zone => zone.directory),
      config.runDirectory,
      config.bin ?? '',
      fuseDevice(),
    ]),
  );
  const bin = await root.reachable(config.bin, user);
  const attachment = await timed('attach-volume', steps, () =>
    attachFuse(
      {
        zones: config.zones,
        membership: config.membership,
        volume: config.volume,
        nodeCacheBytes: config.nodeCacheBytes,
        reserveBytes: config.reserveBytes,
        format: config.role === 'golden',
        directory: root.volumeDirectory,
        fuseDevice: fuseDevice(),
        onZoneEvent: parts.onZoneEvent,
        ownerMap: asRoot ? {engineUid: user.owner.uid, engineGid: user.owner.gid} : null,
      },
      workers,
    ),
  );
  const engine = await createEngine(config.engine, {
    dataDirectory: root.volumeDirectory,
    privateDirectory: root.engineDirectory,
    bin,
    user,
    log,
  });
  const report = (step: StepReport): void => {
    steps.push(step);
  };
  if (config.role === 'golden') {
    const settings = await orFailure(attachment, engine.initialise(report));
    await timed('detach-volume', steps, () => attachment.detach());
    return {settings};
  }
  await timed('volume-barrier', steps, () => attachment.checkpoint());
  const running = await orFailure(attachment, engine.start(config, report));
  return runningInstance(running, attachment);
}

/** When the attachment dies, whatever works on its directory may hang: do not wait for it. */
async function orFailure<T>(attachment: MountedAttachment, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    attachment.failed.then(error => {
      throw error;
    }),
  ]);
}

type EngineParts = Parameters<typeof createMysqlEngine>[0];

function createEngine(name: EngineName, parts: EngineParts): Promise<Engine> {
  switch (name) {
    case 'aurora-postgresql':
      return createPostgresEngine({...parts, syncedBy: 'volume'});
    case 'aurora-mysql':
      return createMysqlEngine(parts);
    default:
      return unreachable(name, 'the service starts engines that there are');
  }
}

/** Whom a distribution's package makes for the server. */
const USER_NAMES: Readonly<Record<EngineName, string>> = {
  'aurora-postgresql': 'postgres',
  'aurora-mysql': 'mysql',
};

async function engineUser(asRoot: boolean, engine: EngineName): Promise<EngineUser> {
  const user = (await unprivilegedUser(USER_NAMES[engine])).owner;
  return {
    // In the nested user namespace the engine is who made ours: our 0.
    owner: asRoot ? user : {uid: 0, gid: 0},
    command: argv => {
      const {argv: command, owner} = engineCommand(argv, {asRoot, user});
      const [file = '', ...args] = command;
      return {file, args, ...owner};
    },
  };
}
