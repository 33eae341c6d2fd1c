import {spawn} from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import {once} from 'node:events';
import {afterAll, beforeAll, describe, expect, onTestFinished, test} from 'vitest';
import {entryPoint} from '../base/entry-point.ts';
import {
  alive,
  createInstanceBench,
  obstacle,
  processTree,
  volumeNumber,
  type InstanceBench,
  type RunningTest,
} from './testing/instance-bench.ts';

const why = obstacle();
const DEATH_TIMEOUT_MS = 3_000;
/** Volumes of the bench's store; 1 is the golden one. */
let lastVolume = 1;

describe.skipIf(why !== null)(
  `a native instance${why === null ? '' : ` (skipped: ${why})`}`,
  () => {
    let bench: InstanceBench;

    beforeAll(async () => {
      bench = await createInstanceBench();
      const golden = await bench.start(1, {role: 'golden', master: null});
      expect(golden.ready.port).toBe(0);
      expect(await golden.instance.exited).toEqual({
        description: 'its process ended with status 0',
      });
    });
    afterAll(async () => {
      await bench.end();
      expect(readFileSync('/proc/mounts', 'utf8')).not.toContain('borealis /');
    });

    /** A writer on a volume of its own with the rows 1 and 2. */
    async function startWithRows(): Promise<{running: RunningTest; volume: number}> {
      const golden = await bench.start(1);
      const volume = await forkOf(golden);
      await golden.instance.request('stop', {mode: 'fast'});
      await golden.instance.exited;
      const running = await bench.start(volume, {firstStart: true});
      await bench.query(running, 'CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)');
      return {running, volume};
    }

    /** Everything of it is gone, and its volume opens with the rows it acknowledged. */
    async function expectGone(tree: {pid: number; name: string}[], volume: number): Promise<void> {
      expect(tree.length).toBeGreaterThan(6);
      await expect.poll(() => alive(tree), {timeout: DEATH_TIMEOUT_MS, interval: 20}).toEqual([]);
      const again = await bench.start(volume);
      expect(await bench.query(again, 'SELECT i FROM t')).toEqual([{i: 1}, {i: 2}]);
      await again.instance.request('stop', {mode: 'fast'});
      expect(await again.instance.exited).toEqual({description: 'its process ended with status 0'});
    }

    test('serves, forks, and its fork has what was acknowledged and goes its own way', async () => {
      const {running: source} = await startWithRows();
      expect(source.ready.serverVersion).toMatch(/^PostgreSQL 18\./);
      expect(source.instance.memoryBytes()).toBeGreaterThan(20_000_000);
      // Shared memory that a kill -9 leaves goes with the namespace.
      const postmaster = processTree(source.instance.pid).find(({name}) => name === 'postgres');
      expect(readlinkSync(`/proc/${postmaster?.pid}/ns/ipc`)).not.toBe(
        readlinkSync('/proc/self/ns/ipc'),
      );
      const child = ++lastVolume;
      const fork = await source.instance.request('fork', {child: volumeNumber(child)});
      expect(fork.bytesCopied).toBe(0);
      expect(fork.steps.map(step => step.name)).toEqual(['inspect-wal', 'fork-volume']);
      const clone = await bench.start(child, {firstStart: true});
      await bench.query(clone, 'INSERT INTO t VALUES (3)');
      await bench.query(source, 'DELETE FROM t WHERE i = 1');
      expect(await bench.query(clone, 'SELECT i FROM t')).toEqual([{i: 1}, {i: 2}, {i: 3}]);
      expect(await bench.query(source, 'SELECT i FROM t')).toEqual([{i: 2}]);
      expect(clone.ready.steps.map(step => step.name)).toEqual([
        'private-root',
        'attach-volume',
        'volume-barrier',
        'recover',
        'forget-source',
        'prepare-access',
      ]);
      for (const {instance} of [source, clone]) {
        await instance.request('stop', {mode: 'fast'});
        expect(await instance.exited).toEqual({description: 'its process ended with status 0'});
      }
    });

    test('killed with its unshare, leaves nothing', async () => {
      const {running, volume} = await startWithRows();
      const tree = processTree(running.instance.pid);
      running.instance.kill();
      expect(await running.instance.exited).toEqual({
        description: 'its process ended with signal SIGKILL',
      });
      await expect(running.instance.request('statistics', {})).rejects.toThrow(/ended|closed/i);
      await expectGone(tree, volume);
    });

    test('killed itself, leaves nothing', async () => {
      const {running, volume} = await startWithRows();
      const tree = processTree(running.instance.pid);
      process.kill(tree[1]?.pid ?? 0, 'SIGKILL');
      await running.instance.exited;
      await expectGone(tree, volume);
    });

    test('ends with the reason when its engine is killed', async () => {
      const {running, volume} = await startWithRows();
      const tree = processTree(running.instance.pid);
      const postmaster = tree.find(process => process.name === 'postgres');
      process.kill(postmaster?.pid ?? 0, 'SIGKILL');
      expect(await running.instance.exited).toEqual({
        description: 'PostgreSQL ended by itself with signal SIGKILL',
      });
      await expectGone(tree, volume);
    });

    test('ends when a process of its engine crashes', async () => {
      const {running, volume} = await startWithRows();
      const tree = processTree(running.instance.pid);
      const backends = tree.filter(process => process.name === 'postgres').slice(1);
      process.kill(backends[0]?.pid ?? 0, 'SIGSEGV');
      const {description} = await running.instance.exited;
      expect(description).toMatch(/^PostgreSQL ended by itself with status/);
      await expectGone(tree, volume);
    });

    test('ends with the service', async () => {
      const {running, volume} = await startWithRows();
      await running.instance.request('stop', {mode: 'immediate'});
      await running.instance.exited;
      const script = `
      const {createInstanceLauncher} = await import(${JSON.stringify(entryPoint('instance/instance-process'))});
      const {createLogger} = await import(${JSON.stringify(entryPoint('base/log'))});
      const launcher = createInstanceLauncher({logger: createLogger('test'), asRoot: true, spare: true});
      const instance = launcher.launch(JSON.parse(process.argv[1]), {});
      await instance.ready;
      console.log('ready');
    `;
      const config = JSON.stringify({...bench.config, volume});
      const service = spawn(process.execPath, ['--input-type=module', '-e', script, config], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => void service.kill('SIGKILL'));
      await once(service.stdout, 'data');
      let tree = processTree(service.pid ?? 0);
      // The spare has just been made: unshare is there twice between its fork and the child's exec.
      await expect
        .poll(() => {
          tree = processTree(service.pid ?? 0);
          return tree.filter(process => process.name === 'unshare').length;
        })
        .toBe(2);
      service.kill('SIGKILL');
      await expectGone(tree, volume);
    });

    test('that does not start says why, with the end of the engine log', async () => {
      await expect(
        bench.start(1, {parameters: {shared_preload_libraries: 'nothing_of_the_kind'}}),
      ).rejects.toThrow(
        /before it was ready: could not access file "\$libdir\/nothing_of_the_kind".*\nThe end of its log:\n.*FATAL/s,
      );
      const log = join(bench.config.runDirectory, 'engine.log');
      expect(statSync(log).mode & 0o777).toBe(0o600);
    });

    test('whose programs do not run says so', async () => {
      const bin = join(bench.directory, 'broken', 'bin');
      mkdirSync(bin, {recursive: true});
      writeFileSync(join(bin, 'postgres'), '#!/bin/sh\necho broken >&2\nexit 3\n', {mode: 0o755});
      await expect(bench.start(1, {bin})).rejects.toThrow(
        /ended with status 3 before it was ready: broken/,
      );
    });

    test('runs programs that only root could reach', async () => {
      const hidden = join(bench.directory, 'hidden');
      const native = join(hidden, 'package', 'native');
      cpSync(dirname(bench.config.bin ?? ''), native, {
        recursive: true,
        verbatimSymlinks: true,
      });
      chmodSync(hidden, 0o700);
      const running = await bench.start(1, {bin: join(native, 'bin')});
      expect(await bench.query(running, 'SELECT bt_index_check(2663)')).toHaveLength(1);
      await running.instance.request('stop', {mode: 'fast'});
      await running.instance.exited;
    });
  },
);

describe.skipIf(why !== null)(
  `an instance in a user namespace${why === null ? '' : ` (skipped: ${why})`}`,
  () => {
    let bench: InstanceBench;
    beforeAll(async () => {
      bench = await createInstanceBench({asRoot: false, spare: true});
    });
    afterAll(() => bench.end());

    test('makes a golden volume, serves it, and ends', async () => {
      const golden = await bench.start(1, {role: 'golden', master: null});
      await golden.instance.exited;
      const running = await bench.start(1);
      expect(await bench.query(running, 'SELECT 1 AS one')).toEqual([{one: 1}]);
      await running.instance.request('stop', {mode: 'fast'});
      expect(await running.instance.exited).toEqual({
        description: 'its process ended with status 0',
      });
    });
  },
);

/** A new volume forked from `source`. */
async function forkOf(source: RunningTest): Promise<number> {
  const child = ++lastVolume;
  await source.instance.request('fork', {child: volumeNumber(child)});
  return child;
}
