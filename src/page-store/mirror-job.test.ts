import {expect, test} from 'vitest';
import {assert, AssertionError} from '../base/assert.ts';
import {JobRunner, type Job} from './mirror-job.ts';
import {MIRROR_DEFAULTS, Members} from './mirror-members.ts';
import type {Member} from './mirror-member.ts';
import {MemoryZone} from './testing/memory-zone.ts';
import {SimulatedZones} from './testing/simulated-zones.ts';
import {ZoneFaults} from './testing/zone-faults.ts';

function runOne(job: (member: Member) => Job): {member: Member; runner: JobRunner} {
  const medium = new SimulatedZones([new MemoryZone(new ZoneFaults(), 'a')]);
  const membership = {number: 0, voters: [['a']]};
  const members = new Members(
    medium,
    MIRROR_DEFAULTS,
    membership,
    () => 0,
    () => undefined,
  );
  const member = members.all[0] as Member;
  return {member, runner: new JobRunner(members, member, job(member))};
}

test('a job that fails breaks its zone, and says why', () => {
  // eslint-disable-next-line require-yield
  const {member, runner} = runOne(function* () {
    throw new Error('it is new or was emptied');
  });
  expect(runner.step()).toBe(false);
  expect(member).toMatchObject({standing: 'broken', reason: 'it is new or was emptied'});
});

test('an assertion that fails in a job is not taken for a failure of the zone', () => {
  const {member, runner} = runOne(function* (of) {
    yield [{member: of, operation: {kind: 'pass'}}];
    assert(false, 'a bug');
  });
  const run = (): void => {
    while (runner.step());
  };
  expect(run).toThrow(AssertionError);
  expect(member.standing).toBe('current');
});
