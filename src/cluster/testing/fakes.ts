/**
 * Stand-ins for the store and for instance processes, for tests of the control plane alone. They keep
 * their state in files, so it outlives a service that was killed.
 *
 *     volumes/NEXT      the number of the next volume
 *     volumes/N.json    the lines that were written to volume N
 *
 * An instance is a real process (`sleep`), so that it has a number to be found and killed by, and a TCP
 * server in the service's process: `put WORD` is answered by `ok` once the word is in the file,
 * `get` by all words, `who` by its name. A reader answers `put` by `read-only`, and `get` by the words of
 * its writer while that serves. When the process ends, so does the server.
 */
import {spawn} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {once} from 'node:events';
import {createConnection, createServer, type Socket} from 'node:net';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {crashPoint} from '../../base/crash-point.ts';
import {sleep} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {EngineSetting} from '../../engine/engine.ts';
import type {ForkResult} from '../../attachment/attachment.ts';
import type {ReplicationProgress} from '../../engine/engine.ts';
import type {InstanceConfig, InstanceMethod, InstanceMethods} from '../../instance/messages.ts';
import {INSTANCE_STATISTICS} from '../../instance/testing/statistics.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import type {StoreConfig} from '../../page-store/open-zones.ts';
import type {MembershipState} from '../../page-store/zone.ts';
import type {
  InstanceLauncher,
  InstanceProcess,
  ReadyInstance,
} from '../../instance/instance-process.ts';
import type {ScrubReport} from '../../volume/scrub-report.ts';
import type {ClusterStorage, ScrubOrder, ScrubRun} from '../storage-types.ts';

const FORK: ForkResult = {
  lsn: 1 as ForkResult['lsn'],
  atMs: null,
  bytesWritten: 0,
  bytesCopied: 0,
  durationMs: 1,
};

const CAUGHT_UP: ReplicationProgress = {
  isStreaming: true,
  isCaughtUp: true,
  transitMs: 0.4,
  replayedAgeMs: 5_000,
};
const SETTING: EngineSetting = {
  name: '',
  context: 'user',
  type: 'integer',
  unit: null,
  min: null,
  max: null,
  values: null,
  absent: null,
  category: 'Some',
  description: 'A setting',
};
/** One of each kind. */
const FAKE_SETTINGS: readonly EngineSetting[] = [
  {...SETTING, name: 'autovacuum', context: 'sighup', type: 'bool', absent: 'on'},
  {...SETTING, name: 'block_size', context: 'internal', absent: '8192'},
  {...SETTING, name: 'fsync', context: 'sighup', type: 'bool', absent: 'on'},
  {...SETTING, name: 'log_statement', type: 'enum', values: ['none', 'ddl', 'all'], absent: 'none'},
  {...SETTING, name: 'max_connections', context: 'postmaster', min: '1', max: '262143'},
  {...SETTING, name: 'random_page_cost', type: 'real', min: '0', max: '1000', absent: '4'},
  {...SETTING, name: 'search_path', type: 'string', absent: '"$user", public'},
  {
    ...SETTING,
    name: 'shared_buffers',
    context: 'postmaster',
    unit: '8kB',
    min: '16',
    max: '999999',
  },
  {...SETTING, name: 'work_mem', unit: 'kB', min: '64', max: '2147483647', absent: '4096'},
  {...SETTING, name: 'zero_damaged_pages', type: 'bool', category: 'Developer Options'},
];

export class FakeStorage implements ClusterStorage {
  readonly directory: string;
  /** Volumes that an instance has open. */
  readonly open: Set<number> = new Set();
  sweeps = 0;
  /** Turns that say that there is more. */
  turnsLeft = 0;
  unsettled: readonly VolumeNumber[] = [];
  /** What `usage` says of removed volumes. */
  removed: Awaited<ReturnType<ClusterStorage['usage']>>['removed'] = [];

  /** What the store's threads were told of zones last. */
  config: StoreConfig | null = null;
  /** Zones that were filled; others are degraded. Null: all that it is told of. */
  filled: readonly string[] | null = null;
  readonly membership: ClusterStorage['membership'] = {
    change: async config => {
      this.config = config;
    },
    state: async () => fakeMembership(this.config, this.filled),
    audit: async () => undefined,
    record: async () => undefined,
    markRemoved: async () => true,
    unclean: async () => [],
    settle: async () => undefined,
  };

  constructor(directory: string) {
    this.directory = join(directory, 'volumes');
    mkdirSync(this.directory, {recursive: true});
  }

  /** For an instance that opens it. */
  claim(volume: VolumeNumber): void {
    if (this.open.has(volume)) throw new Error(`volume ${volume} was opened twice`);
    this.open.add(volume);
  }

  async allocateVolume(): Promise<VolumeNumber> {
    const path = join(this.directory, 'NEXT');
    const next = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 1;
    writeWhole(path, String(next + 1));
    return next as VolumeNumber;
  }

  async exists(volume: VolumeNumber): Promise<boolean> {
    return existsSync(this.#path(volume));
  }

  async forkIdle(source: VolumeNumber, child: VolumeNumber): Promise<ForkResult> {
    if (this.open.has(source)) throw new Error(`volume ${source} is open, so it is not idle`);
    if (!existsSync(this.#path(source))) {
      throw new BorealisError('not-found', 'volume-not-found', `no volume ${source}`);
    }
    this.fork(source, child);
    return FORK;
  }

  async restorableRange(): Promise<null> {
    return null;
  }

  async backtrack(): Promise<never> {
    throw new Error('a fake volume has no past');
  }

  async setRetention(): Promise<void> {
    // A fake volume has no past.
  }

  async trimHistory(): Promise<void> {
    // A fake volume has no past.
  }

  async remove(volume: VolumeNumber): Promise<void> {
    if (this.open.has(volume)) throw new Error(`volume ${volume} is open and cannot be removed`);
    rmSync(this.#path(volume), {force: true});
  }

  async sweep(): ReturnType<ClusterStorage['sweep']> {
    this.sweeps++;
    const nothing = {segmentsDeleted: 0, segmentsCompacted: 0, bytesFreed: 0};
    return {...nothing, bytesOnDisk: 0, bytesReachable: 0, more: this.turnsLeft-- > 0};
  }

  async sweepNeed(): ReturnType<ClusterStorage['sweepNeed']> {
    return {isDue: false, unsettled: this.unsettled};
  }

  /** What the next scrub finds; it ends when `endScrub` is called, or at once. */
  scrubReport: ScrubReport = {
    volumes: 1,
    zones: [{zone: 'local-1a', units: 3, bytes: 3 * 8192, repaired: 0, unread: 0}],
    repaired: [],
    damaged: [],
    repairedMore: 0,
    damagedMore: 0,
  };
  /** The orders of scrubs, the last one last. */
  readonly scrubs: ScrubOrder[] = [];
  holdsScrubs = false;
  endScrub: () => void = () => undefined;
  stopScrub: () => Promise<void> = async () => undefined;

  scrub(order: ScrubOrder): ScrubRun {
    this.scrubs.push(order);
    let stop: () => void = () => undefined;
    const done = new Promise<ScrubReport>((resolve, reject) => {
      this.endScrub = () => resolve(this.scrubReport);
      stop = () => reject(new BorealisError('closed', 'storage-closed', 'it was ended'));
      if (!this.holdsScrubs) this.endScrub();
    });
    this.stopScrub = async () => stop();
    return {done, stop: this.stopScrub};
  }

  async zoneStates(): ReturnType<ClusterStorage['zoneStates']> {
    const zones = this.config?.zones ?? [{name: 'local-1a'}];
    return zones.map(({name}) => ({zone: name, state: 'healthy'}));
  }

  async usage({
    except,
  }: Parameters<ClusterStorage['usage']>[0]): ReturnType<ClusterStorage['usage']> {
    const shown = this.listVolumes().filter(volume => !except.includes(volume));
    const volumes = shown.map(volume => ({
      volume,
      source: null,
      logicalPages: this.read(volume).length,
      sharedPages: 0,
      ownedPages: this.read(volume).length,
      logicalNodes: 2,
      sharedNodes: 0,
      ownedNodes: 2,
      historyPages: 0,
      historyNodes: 0,
      ownedHistoryPages: 0,
      ownedHistoryNodes: 0,
    }));
    return {
      bytesOnDisk: 0,
      bytesReachable: 0,
      volumes,
      removed: this.removed,
    };
  }

  async endReclaim(): Promise<void> {
    await Promise.resolve();
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  fork(source: number, child: number): void {
    if (!existsSync(this.#path(child))) this.write(child, this.read(source));
  }

  read(volume: number): string[] {
    return JSON.parse(readFileSync(this.#path(volume), 'utf8')) as string[];
  }

  write(volume: number, words: readonly string[]): void {
    writeWhole(this.#path(volume), JSON.stringify(words));
  }

  async volumes(): Promise<readonly VolumeNumber[]> {
    return this.listVolumes();
  }

  listVolumes(): VolumeNumber[] {
    return readdirSync(this.directory)
      .filter(name => /^\d+\.json$/.test(name))
      .map(name => Number.parseInt(name, 10) as VolumeNumber)
      .sort((a, b) => a - b);
  }

  #path(volume: number): string {
    return join(this.directory, `${volume}.json`);
  }
}

export type FakeInstances = {
  readonly launch: InstanceLauncher['launch'];
  /** Every configuration that was launched, oldest first. */
  readonly launched: InstanceConfig[];
  readonly handles: InstanceProcess[];
  /** Makes starts fail with this message until it is set to null. */
  failWith: string | null;
  /** Engines that start now never become ready. */
  hang: boolean;
  /** Called as a fork begins; may throw. */
  onFork: () => void;
  checkpoints: number;
  /** What readers, by name, say of how far they are; others are caught up. */
  readonly progress: Map<string, ReplicationProgress>;
  /** Volumes of the writers that serve, by port. */
  readonly writers: Map<number, number>;
  /** Verifiers of the readers' secrets, as writers took them, oldest first. */
  readonly admitted: string[];
  /** Parameters that were handed to running instances. */
  readonly configured: Readonly<Record<string, string>>[];
  /** Verifiers that were handed to running instances. */
  readonly masters: string[];
};

export function fakeInstances(storage: FakeStorage): FakeInstances {
  const fake: FakeInstances = {
    launched: [],
    handles: [],
    failWith: null,
    hang: false,
    onFork: () => undefined,
    progress: new Map(),
    writers: new Map(),
    admitted: [],
    configured: [],
    masters: [],
    checkpoints: 0,
    launch: config => {
      fake.launched.push(config);
      const handle = launchFake(storage, fake, config);
      fake.handles.push(handle);
      return handle;
    },
  };
  return fake;
}

function launchFake(
  storage: FakeStorage,
  fake: FakeInstances,
  config: InstanceConfig,
): InstanceProcess {
  const child = spawn('sleep', ['600'], {stdio: 'ignore'});
  const {volume} = config;
  let {source} = config;
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    createInterface({input: socket}).on('line', line => {
      const [verb, word = ''] = line.split(' ');
      socket.write(`${reply(storage, fake, {...config, source}, verb ?? '', word)}\n`);
    });
  });
  let isOver = false;
  const exited = once(child, 'exit').then(([status, signal]) => {
    isOver = true;
    storage.open.delete(volume);
    if (fake.writers.get(config.port) === volume) fake.writers.delete(config.port);
    for (const socket of sockets) socket.destroy();
    server.close();
    return {description: `status ${String(status)}, signal ${String(signal)}`};
  });
  const start = async (): Promise<ReadyInstance> => {
    storage.claim(volume);
    await sleep(5);
    if (isOver) throw new Error('the process ended before it was ready');
    if (fake.failWith !== null) throw new Error(fake.failWith);
    if (fake.hang) return new Promise<never>(() => undefined);
    const steps = [{name: 'start engine', durationMs: 5}];
    if (config.role === 'golden') {
      storage.write(volume, ['golden']);
      crashPoint('fake.golden.after-write');
      child.kill('SIGTERM');
      return {port: 0, serverVersion: 'Fake 18.4', steps, settings: FAKE_SETTINGS};
    }
    if (config.databaseName !== null) {
      storage.write(volume, [...storage.read(volume), `database:${config.databaseName}`]);
    }
    if (config.readerVerifier !== null && source === null)
      fake.admitted.push(config.readerVerifier);
    server.listen(config.port, '127.0.0.1');
    await once(server, 'listening');
    if (source === null) fake.writers.set(config.port, volume);
    return {port: config.port, serverVersion: 'Fake 18.4', steps, settings: []};
  };
  return {
    pid: child.pid ?? 0,
    ready: start(),
    exited,
    kill: () => child.kill('SIGKILL'),
    memoryBytes: () => (isOver ? null : 1_000_000),
    async request<M extends InstanceMethod>(
      method: M,
      params: InstanceMethods[M]['params'],
    ): Promise<InstanceMethods[M]['result']> {
      await sleep(1);
      if (isOver) throw new BorealisError('closed', 'instance-ended', 'the instance ended');
      return answer(method, params) as InstanceMethods[M]['result'];
    },
  };

  function answer(method: InstanceMethod, params: object): object {
    if (method === 'fork' && 'child' in params) {
      fake.onFork();
      storage.fork(volume, Number(params.child));
      crashPoint('fake.fork.after-write');
      return {...FORK, steps: [{name: 'fork', durationMs: 1}]};
    }
    if (method === 'setMaster' && 'master' in params) {
      fake.masters.push((params.master as {verifier: string}).verifier);
    }
    if (method === 'checkpoint') fake.checkpoints++;
    if (method === 'admitReaders' && 'verifier' in params) {
      fake.admitted.push(String(params.verifier));
    }
    if (method === 'follow' && 'source' in params) ({source} = params as {source: typeof source});
    if (method === 'replication') return fake.progress.get(config.name) ?? CAUGHT_UP;
    if (method === 'changeZones') return fakeMembership(params as StoreConfig, storage.filled);
    if (method === 'statistics') return INSTANCE_STATISTICS;
    if (method === 'configure' && 'parameters' in params) {
      fake.configured.push(params.parameters as Record<string, string>);
      return {isTaken: config.runtime === 'native'};
    }
    if (method === 'stop') child.kill('SIGTERM');
    return {};
  }
}

function fakeMembership(
  config: StoreConfig | null,
  filled: readonly string[] | null,
): MembershipState {
  const names = config?.zones.map(({name}) => name) ?? [];
  const current = names.filter(name => filled?.includes(name) ?? true);
  return {number: config?.membership?.number ?? 0, current, broken: [], isSettled: true};
}

function reply(
  storage: FakeStorage,
  fake: FakeInstances,
  {name, volume, source}: InstanceConfig,
  verb: string,
  word: string,
): string {
  if (verb === 'who') return name;
  if (verb === 'put' && source !== null) return 'read-only';
  const words = storage.read((source === null ? volume : fake.writers.get(source.port)) ?? volume);
  if (verb !== 'put') return words.join(' ');
  storage.write(volume, [...words, word]);
  return 'ok';
}

/** Sends one line to an endpoint and resolves with the answer, or rejects when the connection breaks. */
export async function ask(port: number, line: string): Promise<string> {
  return await askAt('127.0.0.1', port, line);
}

/** The same at another address than the cluster endpoint's. */
export async function askAt(host: string, port: number, line: string): Promise<string> {
  const socket = createConnection({host, port});
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed without an answer')));
      // It tells the socket's errors once more.
      createInterface({input: socket}).once('line', resolve).on('error', reject);
      socket.write(`${line}\n`);
    });
  } finally {
    socket.destroy();
  }
}

/** A port of loopback that nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
