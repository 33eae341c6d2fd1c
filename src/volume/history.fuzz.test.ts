import fc from 'fast-check';
import {expect, test} from 'vitest';
import {checkZone} from './checker.ts';
import {RETENTION_SECONDS_MAX} from './history.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {readRoots} from './root-snapshot.ts';
import {
  DAY,
  FILES,
  PAGES,
  World,
  type Action,
  type Command,
  type PlainKind,
} from './testing/history-world.ts';
import {naiveHistory, naiveWalk} from './testing/naive-walk.ts';

const volume = fc.nat(5);
const of = (...kinds: PlainKind[]): fc.Arbitrary<Action> =>
  fc.record({kind: fc.constantFrom(...kinds), volume});
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      volume,
      file: fc.constantFrom(...FILES),
      page: fc.constantFrom(...PAGES),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      volume,
      file: fc.constantFrom(...FILES),
      from: fc.constantFrom(...PAGES),
      count: fc.constantFrom(1, 2, 600),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(10, 300, 300, 1000, 1000, 7000, 61_000, 1_200_000, 7_200_000, DAY * 1000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('fork-at' as const, 'backtrack' as const, 'look' as const),
      volume,
      ago: fc.oneof(fc.nat(3000), fc.nat(100_000), fc.nat(8_000_000), fc.nat(3 * DAY * 1000)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('retain' as const),
      volume,
      seconds: fc.constantFrom(0, 600, DAY, 2 * DAY, RETENTION_SECONDS_MAX),
    }),
  },
  {weight: 10, arbitrary: of('barrier', 'barrier', 'idle', 'idle', 'checkpoint', 'reopen')},
  {weight: 3, arbitrary: of('fork', 'fork', 'delete')},
);
const call = fc.oneof(fc.nat(8), fc.nat(60));
const command: fc.Arbitrary<Command> = fc.oneof(
  {weight: 24, arbitrary: action},
  {weight: 1, arbitrary: fc.record({kind: fc.constant('crash' as const), seed: fc.nat()})},
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('sweep' as const),
      meanwhile: fc.array(fc.record({call, action}), {maxLength: 4}),
      cutAtCall: fc.option(call, {nil: null}),
    }),
  },
);

/** The census says what a walk of each root by itself says. */
function expectExact({zone, census}: World): void {
  const records = readRoots(zone);
  const {shares, live, historyUnits} = census.count(records);
  const unitsOf = ({pages, nodes}: ReturnType<typeof naiveWalk>) => new Set([...pages, ...nodes]);
  const heads = records.map(record => unitsOf(naiveWalk(zone, record)));
  const histories = records.map(record => unitsOf(naiveHistory(zone, record)));
  const ofHeads = new Set(heads.flatMap(head => [...head]));
  const all = new Set([...ofHeads, ...histories.flatMap(history => [...history])]);
  expect(live.total).toBe(all.size);
  expect(historyUnits).toBe(all.size - ofHeads.size);
  for (const [index, share] of shares.entries()) {
    const others = new Set(
      records.flatMap((_, other) =>
        other === index ? [] : [...(heads[other] ?? []), ...(histories[other] ?? [])],
      ),
    );
    const head = [...(heads[index] ?? [])];
    const history = [...(histories[index] ?? [])].filter(unit => !ofHeads.has(unit));
    expect({
      logical: share.logicalPages + share.logicalNodes,
      owned: share.ownedPages + share.ownedNodes,
      shared: share.sharedPages + share.sharedNodes,
      history: share.historyPages + share.historyNodes,
      ownedHistory: share.ownedHistoryPages + share.ownedHistoryNodes,
    }).toEqual({
      logical: head.length,
      owned: head.filter(unit => !others.has(unit)).length,
      shared: head.filter(unit => others.has(unit)).length,
      history: history.length,
      ownedHistory: history.filter(unit => !others.has(unit)).length,
    });
  }
}

function expectNothingDead({zone, census}: World): void {
  const records = readRoots(zone);
  const {live} = census.count(records);
  for (const number of zone.listVolumes()) {
    const record = records.find(one => one.volume === number);
    for (const {segment, bytesOnDisk} of zone.listSegments(number)) {
      if (record !== undefined && segment >= record.checkpoint.segment) continue;
      const units = live.get(number, segment);
      expect(units).toBeGreaterThan(0);
      expect(bytesOnDisk - units * PAGE_SIZE_BYTES).toBeLessThanOrEqual(PAGE_SIZE_BYTES);
    }
  }
}

const AGO_MS = [
  0, 500, 1000, 2000, 3000, 30_000, 61_000, 600_000, 3_600_000, 7_200_000, 86_400_000,
];

test('volumes that are written, forked at past times, set back and forth, retained longer or shorter, crashed and swept: every moment in the range reads as the model says, the numbers are exact, nothing dead stays', () => {
  fc.assert(
    fc.property(fc.array(command, {minLength: 10, maxLength: 60}), commands => {
      const world = new World();
      for (const step of commands) world.run(step);
      for (const member of world.members) {
        member.volume.checkpoint();
        member.timeline.acknowledge(world.nowMs);
      }
      expectExact(world);
      world.sweepAll();
      expectNothingDead(world);
      for (const member of world.members) {
        world.expectRange(member);
        for (const ago of AGO_MS) world.look(member, world.nowMs - ago);
      }
      expectExact(world);
      expect(checkDamage(world)).toEqual([]);
      for (const member of [...world.members]) world.remove(member);
      world.sweepAll();
      expect(world.zone.listVolumes()).toEqual([]);
    }),
    {numRuns: 100},
  );
});

/** The store of this test has no record of its own. */
function checkDamage({zone}: World): readonly string[] {
  return checkZone(zone)
    .findings.filter(({kind, code}) => kind === 'damage' && code !== 'no-store')
    .map(({message}) => message);
}
