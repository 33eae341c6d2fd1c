/**
 * Kills the service at each named crash point and starts it again: whatever it was doing is finished
 * or undone, nothing is left over, and what was acknowledged is there.
 */
import {spawnSync} from 'node:child_process';
import {cpSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest';
import {entryPoint} from '../base/entry-point.ts';
import {playScenario, type CrashReport} from './testing/crash-scenarios.ts';
import {freePort} from './testing/line-client.ts';
import {writeZonePlan} from './zone-list.ts';

/** Compiled: it is started some hundred times. */
const CHILD = entryPoint('cluster/testing/crash-child');

let root: string;
/** A directory with one cluster, its writer and an acknowledged word. */
let prepared: string;
let before: CrashReport;
let directoryCount = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'borealis-crash-'));
  prepared = newDirectory();
  before = await playScenario(prepared, 'create');
});

afterAll(() => rmSync(root, {recursive: true}));

function newDirectory(): string {
  return mkdtempSync(join(root, `${directoryCount++}-`));
}

/** Plays `scenario` in a process of its own until the crash point, starts again, and returns what is there then. */
async function crash(
  directory: string,
  scenario: string,
  crashAt: string,
  status = 'available',
): Promise<CrashReport> {
  const {signal, stderr} = spawnSync(process.execPath, [CHILD, directory, scenario], {
    encoding: 'utf8',
    timeout: 30_000,
    env: {...process.env, BOREALIS_CRASH_AT: crashAt},
  });
  expect(signal, `${crashAt} was reached\n${stderr}`).toBe('SIGKILL');
  const after = await playScenario(directory, 'look');
  // Every volume belongs to somebody, and everybody has its volume.
  const owned = [
    ...after.golden,
    ...after.scratch,
    ...after.clusters.map(cluster => cluster.volume ?? 0),
  ];
  expect(after.volumes).toEqual(owned.sort((a, b) => a - b));
  for (const resource of [...after.clusters, ...after.instances]) {
    expect(resource.status, resource.identifier).toBe(status);
  }
  return after;
}

function copyOfPrepared(): string {
  const directory = newDirectory();
  cpSync(prepared, directory, {recursive: true});
  return directory;
}

function expectOrdersUnharmed(after: CrashReport): void {
  expect(after.clusters).toContainEqual(before.clusters[0]);
  expect(after.instances).toContainEqual(before.instances[0]);
  expect(after.words['orders']).toBe('golden a');
}

describe('a service that is killed while it creates a cluster', () => {
  test('before the intent is recorded has none', async () => {
    expect((await crash(newDirectory(), 'create', 'cluster.new.before-record')).clusters).toEqual(
      [],
    );
  });

  test.each([
    'cluster.new.after-record',
    'cluster.create.before-volume-record',
    'cluster.create.after-volume-record',
    'golden.before-record',
    'golden.after-record',
    'fake.golden.after-write',
    'golden.before-ready',
    'golden.after-ready',
    'cluster.create.before-fork',
    'cluster.create.after-fork',
    'cluster.create.after-available',
  ])('at %s finishes it', async crashAt => {
    const after = await crash(newDirectory(), 'create', crashAt);
    expect(after.clusters.map(cluster => cluster.identifier)).toEqual(['orders']);
    expect(after.words).toEqual({orders: 'golden'});
  });
});

describe('a service that is killed while it starts an instance', () => {
  test.each([
    'instance.start.before-spawn',
    'instance.start.after-spawn',
    'instance.start.before-available',
    'instance.start.after-available',
  ])('at %s finishes it', async crashAt => {
    const after = await crash(newDirectory(), 'create', crashAt);
    expect(after.instances.map(each => each.identifier)).toEqual(['orders-writer']);
  });

  test.each(['instance.new.before-record', 'instance.new.after-record'])(
    'at %s keeps the cluster',
    async crashAt => {
      const after = await crash(newDirectory(), 'create', crashAt);
      expect(after.clusters).toHaveLength(1);
      expect(after.instances).toHaveLength(crashAt.includes('after') ? 1 : 0);
    },
  );
});

describe('a service that is killed while it clones', () => {
  test.each(['cluster.new.before-record', 'cluster.new.after-record', 'cluster.clone.before-fork'])(
    'at %s undoes the clone',
    async crashAt => {
      const after = await crash(copyOfPrepared(), 'clone', crashAt);
      expectOrdersUnharmed(after);
      expect(after.clusters).toHaveLength(1);
    },
  );

  test.each(['fake.fork.after-write', 'cluster.clone.after-fork', 'cluster.clone.after-available'])(
    'at %s finishes the clone',
    async crashAt => {
      const after = await crash(copyOfPrepared(), 'clone', crashAt);
      expectOrdersUnharmed(after);
      expect(after.words['copy']).toBe('golden a');
    },
  );
});

describe('a service that is killed while it changes the master password', () => {
  test.each([
    'cluster.modify.after-intent',
    'cluster.modify.before-record',
    'cluster.modify.after-record',
  ])('at %s finishes it', async crashAt =>
    expectOrdersUnharmed(await crash(copyOfPrepared(), 'modify', crashAt)),
  );
});

describe('a service that is killed while it adds a reader', () => {
  test.each([
    'reader.start.before-record',
    'reader.start.after-record',
    'fake.fork.after-write',
    'reader.start.after-fork',
  ])('at %s finishes it on a fork of its own', async crashAt => {
    const after = await crash(copyOfPrepared(), 'reader', crashAt);
    expectOrdersUnharmed(after);
    expect(after.instances.map(({role}) => role)).toEqual(['reader', 'writer']);
    expect(after.scratch).toHaveLength(1);
  });
});

describe('a service that is killed while it fails over', () => {
  test.each([
    ['failover', 'failover.after-swap'],
    ['failover', 'reader.end.before-volume'],
    ['failover', 'reader.end.after-volume'],
    ['death', 'failover.after-swap'],
  ])('(%s) at %s has the new writer on the cluster volume', async (scenario, crashAt) => {
    const after = await crash(copyOfPrepared(), scenario, crashAt);
    expect(after.instances).toMatchObject([
      {identifier: 'orders-reader', role: 'writer'},
      {identifier: 'orders-writer', role: 'reader'},
    ]);
    expect(after.words['orders']).toMatch(/^golden a( b)?$/);
    expect(after.scratch).toHaveLength(1);
  });

  test.each([
    ['delete-writer', 'instance.delete.after-intent', 'orders-reader'],
    ['delete-writer', 'instance.delete.before-stop', 'orders-reader'],
    ['delete-writer', 'instance.delete.after-stop', 'orders-reader'],
    ['delete-writer', 'instance.delete.before-record', 'orders-reader'],
    ['delete-writer', 'instance.delete.after-record', 'orders-reader'],
    ['delete-reader', 'instance.delete.after-intent', 'orders-writer'],
    ['delete-reader', 'reader.end.before-volume', 'orders-writer'],
    ['delete-reader', 'instance.delete.after-stop', 'orders-writer'],
  ])('or deletes (%s) at %s has %s as its writer', async (scenario, crashAt, writer) => {
    const after = await crash(copyOfPrepared(), scenario, crashAt);
    expect(after.instances).toMatchObject([{identifier: writer, role: 'writer'}]);
    expect(after.words['orders']).toBe('golden a');
    expect(after.scratch).toEqual([]);
  });
});

test.each([
  ['endpoint.new.before-record', []],
  ['endpoint.new.after-record', ['reports']],
  ['endpoint.delete.after-record', []],
])('a service that is killed at %s has the custom endpoints %j', async (crashAt, endpoints) => {
  const after = await crash(copyOfPrepared(), 'endpoint', crashAt);
  expectOrdersUnharmed(after);
  expect(after.endpoints).toEqual(endpoints);
});

describe('a service that is killed while it changes a cluster or its instance', () => {
  let stopped: string;

  beforeAll(async () => {
    stopped = copyOfPrepared();
    await playScenario(stopped, 'stop');
  });

  test.each([
    'cluster.stop.after-intent',
    'cluster.stop.before-engines',
    'cluster.stop.before-record',
    'cluster.stop.after-record',
  ])('stops it at %s, with its data', async crashAt => {
    const after = await crash(copyOfPrepared(), 'stop', crashAt, 'stopped');
    expect(after.words['orders']).toBe('golden a');
    expect(after.instances).toHaveLength(1);
  });

  test.each([
    'cluster.start.after-intent',
    'cluster.start.before-record',
    'cluster.start.after-record',
  ])('starts it at %s', async crashAt => {
    const directory = newDirectory();
    cpSync(stopped, directory, {recursive: true});
    expectOrdersUnharmed(await crash(directory, 'start', crashAt));
  });

  test.each(['cluster.modify.after-intent', 'instance.configure.before-record'])(
    'brings parameters at %s',
    async crashAt => {
      const after = await crash(copyOfPrepared(), 'configure', crashAt);
      expectOrdersUnharmed(after);
      expect(after.parameters['orders-writer']).toMatchObject({work_mem: '8192'});
    },
  );

  test.each([
    'instance.reboot.after-intent',
    'instance.restart.before-stop',
    'instance.restart.before-record',
    'instance.restart.after-record',
  ])('reboots the instance at %s', async crashAt => {
    expectOrdersUnharmed(await crash(copyOfPrepared(), 'reboot', crashAt));
  });

  test.each([
    'instance.modify.after-intent',
    'instance.restart.before-stop',
    'instance.restart.before-record',
    'instance.restart.after-record',
  ])('renames the instance at %s', async crashAt => {
    const after = await crash(copyOfPrepared(), 'resize', crashAt);
    expect(after.instances).toEqual([{...before.instances[0], identifier: 'renamed-writer'}]);
  });

  test.each([
    'cluster.modify.after-intent',
    'cluster.rename.before-engines',
    'cluster.rename.before-record',
    'cluster.rename.after-record',
  ])('renames the cluster at %s', async crashAt => {
    const after = await crash(copyOfPrepared(), 'rename', crashAt);
    expect(after.clusters).toEqual([{...before.clusters[0], identifier: 'renamed'}]);
    expect(after.words).toEqual({renamed: 'golden a'});
  });

  test.each([
    'cluster.modify.after-intent',
    'cluster.port.before-record',
    'cluster.port.after-record',
  ])('moves it to another port at %s', async crashAt => {
    const port = await freePort();
    vi.stubEnv('ANOTHER_PORT', String(port));
    const after = await crash(copyOfPrepared(), 'port', crashAt);
    vi.unstubAllEnvs();
    expect(after.clusters).toEqual([{...before.clusters[0], port}]);
  });
});

describe('a service that is killed while it deletes', () => {
  test.each([
    'instance.delete.after-intent',
    'instance.delete.before-stop',
    'instance.delete.after-stop',
    'instance.delete.before-record',
    'instance.delete.after-record',
  ])('an instance at %s finishes it', async crashAt => {
    const after = await crash(copyOfPrepared(), 'delete', crashAt);
    expect(after.instances).toEqual([]);
    expect(after.clusters.length).toBeLessThanOrEqual(1);
  });

  test.each([
    'cluster.delete.after-intent',
    'cluster.delete.before-volume',
    'cluster.delete.after-volume',
    'cluster.delete.after-record',
  ])('a cluster at %s finishes it', async crashAt => {
    const after = await crash(copyOfPrepared(), 'delete', crashAt);
    expect(after).toMatchObject({clusters: [], instances: [], words: {}});
    expect(after.volumes).toEqual(after.golden);
  });
});

describe('a service that is killed while its zones change', () => {
  const steps = (phases: readonly string[]): string[] =>
    phases.flatMap(phase => [`zone.${phase}.before-plan`, `zone.${phase}.after-plan`]);
  const withZones = (...letters: string[]): string => {
    const directory = copyOfPrepared();
    const zones = letters.map(letter => {
      return {name: `local-1${letter}`, directory: join(directory, `zone-${letter}`)};
    });
    writeZonePlan(directory, {number: 0, zones, change: null});
    return directory;
  };

  test.each(steps(['joining', 'joint', 'closing', 'done']))(
    'at %s has one more or not',
    async crashAt => {
      const after = await crash(withZones('a'), 'zone-add', crashAt);
      const isBegun = crashAt !== 'zone.joining.before-plan';
      expect(after.zones).toEqual(isBegun ? ['local-1a', 'local-1b'] : ['local-1a']);
      expectOrdersUnharmed(after);
    },
  );

  test.each(steps(['joint', 'leaving', 'closing', 'done']))(
    'at %s has one less or not',
    async crashAt => {
      const after = await crash(withZones('a', 'b'), 'zone-remove', crashAt);
      const isBegun = crashAt !== 'zone.joint.before-plan';
      expect(after.zones).toEqual(isBegun ? ['local-1a'] : ['local-1a', 'local-1b']);
      expectOrdersUnharmed(after);
    },
  );

  test.each(steps(['undoing', 'done']))(
    'at %s has given one up, or adds it after all',
    async crashAt => {
      const after = await crash(withZones('a'), 'zone-undo', crashAt);
      const isUndone = crashAt !== 'zone.undoing.before-plan';
      expect(after.zones).toEqual(isUndone ? ['local-1a'] : ['local-1a', 'local-1b']);
      expectOrdersUnharmed(after);
    },
  );
});
