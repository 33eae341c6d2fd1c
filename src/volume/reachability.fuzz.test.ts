import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {Reachability} from './reachability.ts';
import {sweep} from './sweeper.ts';
import type {Volume} from './volume.ts';

type Command =
  | {kind: 'write'; volume: number; file: number; page: number}
  | {kind: 'drop'; volume: number; file: number; from: number; count: number}
  | {kind: 'fork' | 'delete' | 'checkpoint' | 'reopen'; volume: number}
  | {kind: 'sweep'};

const volumeIndex = fc.nat(7);
const file = fc.constantFrom(0, 1, 600);
const page = fc.constantFrom(0, 1, 2, 511, 512, 513, 262_144);
const at = (kind: 'fork' | 'delete' | 'checkpoint' | 'reopen'): fc.Arbitrary<Command> =>
  fc.record({kind: fc.constant(kind), volume: volumeIndex});
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({kind: fc.constant('write' as const), volume: volumeIndex, file, page}),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      volume: volumeIndex,
      file,
      from: page,
      count: fc.constantFrom(1, 600),
    }),
  },
  {weight: 4, arbitrary: at('fork')},
  {weight: 2, arbitrary: at('delete')},
  {weight: 2, arbitrary: at('checkpoint')},
  {weight: 1, arbitrary: at('reopen')},
  {weight: 2, arbitrary: fc.constant<Command>({kind: 'sweep'})},
);

/** What a page is, by its writer and stamp: forks inherit the identity, a new write makes a new one. */
type Member = {number: VolumeNumber; volume: Volume; pages: Map<string, number>};

test('usage is what a brute-force count says, and no order of forks, deletes and sweeps harms a survivor', () => {
  fc.assert(
    fc.property(fc.array(command, {minLength: 10, maxLength: 70}), commands => {
      const zone = new MemoryZone();
      const reachability = new Reachability(zone);
      const open = (number: VolumeNumber, create: boolean): Volume =>
        openVolumeIn({zone, volume: number, create, nodeCacheBytes: 0, segmentBytes: 3 * 2 ** 20});
      let next = 1;
      let stamp = 0;
      const take = (): VolumeNumber => next++ as VolumeNumber;
      const first = take();
      const members: Member[] = [{number: first, volume: open(first, true), pages: new Map()}];
      for (const step of commands) {
        if (step.kind === 'sweep') {
          sweep(zone, reachability);
          continue;
        }
        const member = members[step.volume % Math.max(1, members.length)];
        if (member === undefined) continue;
        switch (step.kind) {
          case 'write':
            stamp++;
            member.volume.changePage(step.file, step.page, false).fill(0).writeUInt32LE(stamp);
            member.volume.endOperation();
            member.pages.set(`${step.file}:${step.page}`, stamp);
            break;
          case 'drop':
            member.volume.drop(step.file, step.from, step.from + step.count);
            member.volume.endOperation();
            for (const key of [...member.pages.keys()]) {
              const [f, p] = key.split(':').map(Number) as [number, number];
              if (f === step.file && p >= step.from && p < step.from + step.count) {
                member.pages.delete(key);
              }
            }
            break;
          case 'fork': {
            const child = take();
            member.volume.fork(child);
            members.push({
              number: child,
              volume: open(child, false),
              pages: new Map(member.pages),
            });
            break;
          }
          case 'delete':
            member.volume.close();
            zone.deleteVolumeRecord(member.number);
            members.splice(members.indexOf(member), 1);
            break;
          case 'checkpoint':
            member.volume.checkpoint();
            break;
          case 'reopen':
            member.volume.close();
            member.volume = open(member.number, false);
            break;
        }
      }
      for (const member of members) member.volume.checkpoint();
      const records = reachability.records();
      const usage = reachability.measureUsage(records);
      expect(records.map(record => record.volume)).toEqual(
        members.map(member => member.number).sort((a, b) => a - b),
      );
      for (const [index, record] of records.entries()) {
        const member = members.find(one => one.number === record.volume) as Member;
        const others = new Set(
          members.filter(one => one !== member).flatMap(one => [...one.pages.values()]),
        );
        const stamps = [...member.pages.values()];
        expect(usage[index]).toEqual({
          logicalPages: stamps.length,
          sharedPages: stamps.filter(one => others.has(one)).length,
          ownedPages: stamps.filter(one => !others.has(one)).length,
        });
      }
      sweep(zone, reachability);
      const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
      for (const member of members) {
        const again = reopen(member, open);
        for (const [key, expected] of member.pages) {
          const [f, p] = key.split(':').map(Number) as [number, number];
          again.readPages(f, p, 1, bytes, 0);
          expect(bytes.readUInt32LE(0)).toBe(expected);
        }
        again.close();
        zone.deleteVolumeRecord(member.number);
      }
      sweep(zone, reachability);
      expect(zone.listVolumes()).toEqual([]);
    }),
    {numRuns: 300},
  );
});

function reopen(member: Member, open: (number: VolumeNumber, create: boolean) => Volume): Volume {
  member.volume.close();
  return open(member.number, false);
}
