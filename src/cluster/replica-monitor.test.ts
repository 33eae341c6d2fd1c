import {pino} from 'pino';
import {expect, test} from 'vitest';
import type {ReplicationProgress} from '../engine/engine.ts';
import type {InstanceProcess} from '../instance/instance-process.ts';
import {lagOf, ReplicaMonitor} from './replica-monitor.ts';

const CAUGHT_UP: ReplicationProgress = {
  isStreaming: true,
  isCaughtUp: true,
  transitMs: 0.5,
  replayedAgeMs: 3_600_000,
};

test.each<[Partial<ReplicationProgress>, number, number]>([
  // An idle writer makes nobody late.
  [{}, 10, 0.5],
  [{transitMs: null}, 10, 0],
  [{transitMs: -3}, 10, 0],
  [{isCaughtUp: false, replayedAgeMs: 40}, 2_000, 40],
  [{isCaughtUp: false}, 2_000, 2_000],
  [{isCaughtUp: false, replayedAgeMs: null}, 2_000, 2_000],
  [{isStreaming: false, replayedAgeMs: 9_000}, 8_000, 8_000],
])('of %j, caught up %d ms ago, the lag is %d ms', (changes, ageMs, lagMs) => {
  expect(lagOf({...CAUGHT_UP, ...changes}, ageMs)).toBe(lagMs);
});

type Scene = {
  monitor: ReplicaMonitor;
  restarts: string[];
  progress: ReplicationProgress | Error;
  writerServes: boolean;
  pid: number;
  pass(seconds: number): Promise<void>;
};

function scene(): Scene {
  let nowMs = 0;
  const restarts: string[] = [];
  const clock = {nowMs: () => nowMs, monotonicMs: () => nowMs};
  const monitor = new ReplicaMonitor(
    {clock, logger: pino({level: 'silent'})},
    {
      readers: () => {
        const process = {
          pid: made.pid,
          request: async () => {
            if (made.progress instanceof Error) throw made.progress;
            return made.progress;
          },
        };
        return [
          {
            identifier: 'a',
            // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else of it is used
            process: process as unknown as InstanceProcess,
            writerServes: made.writerServes,
          },
        ];
      },
      restart: (identifier, reason) => restarts.push(`${identifier}: ${reason}`),
    },
  );
  const made: Scene = {
    monitor,
    restarts,
    progress: CAUGHT_UP,
    writerServes: true,
    pid: 1,
    pass: async seconds => {
      for (let i = 0; i < seconds; i++) {
        nowMs += 1_000;
        await monitor.look();
      }
    },
  };
  return made;
}

test('a reader that streams stays, and its lag is told', async () => {
  const it = scene();
  await it.pass(100);
  expect(it.monitor.lagMs('a')).toBe(0.5);
  expect(it.monitor.lagMs('b')).toBeNull();
  expect(it.restarts).toEqual([]);
});

test.each([{...CAUGHT_UP, isStreaming: false}, new Error('no answer')])(
  'a reader with %j is forked anew after ten seconds, unless its writer is away as well',
  async progress => {
    const it = scene();
    await it.pass(3);
    it.progress = progress;
    it.writerServes = false;
    await it.pass(40);
    expect(it.restarts).toEqual([]);
    expect(it.monitor.lagMs('a')).toBe(40_000);
    it.writerServes = true;
    await it.pass(10);
    expect(it.restarts).toEqual([]);
    await it.pass(1);
    expect(it.restarts).toEqual(['a: it lost its writer and is forked anew']);
    it.pid = 2;
    it.progress = CAUGHT_UP;
    await it.pass(1);
    expect(it.monitor.lagMs('a')).toBe(0.5);
  },
);

test('a reader that is a minute behind is forked anew', async () => {
  const it = scene();
  await it.pass(3);
  it.progress = {...CAUGHT_UP, isCaughtUp: false};
  await it.pass(60);
  expect(it.restarts).toEqual([]);
  await it.pass(1);
  expect(it.restarts).toEqual(['a: it fell too far behind and is forked anew']);
});
