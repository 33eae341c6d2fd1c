/**
 * Stand-ins for instance processes, for tests of the control plane alone.
 *
 * An instance is a real process (`sleep`), so that it has a number to be found and killed by, and a TCP
 * server in the service's process: `put WORD` is answered by `ok` once the word is in the file,
 * `get` by all words, `who` by its name. A reader answers `put` by `read-only`, and `get` by the words of
 * its writer while that serves. When the process ends, so does the server.
 */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createServer, type Socket} from 'node:net';
import {createInterface} from 'node:readline';
import {sleep} from '../../base/clock.ts';
import {crashPoint} from '../../base/crash-point.ts';
import {BorealisError} from '../../base/errors.ts';
import type {EngineSetting, ReplicationProgress} from '../../engine/engine.ts';
import type {
  InstanceLauncher,
  InstanceProcess,
  ReadyInstance,
} from '../../instance/instance-process.ts';
import type {InstanceConfig, InstanceMethod, InstanceMethods} from '../../instance/messages.ts';
import {INSTANCE_STATISTICS} from '../../instance/testing/statistics.ts';
import type {StoreConfig} from '../../page-store/open-zones.ts';
import {FORK, fakeMembership, type FakeStorage} from './fake-storage.ts';

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
