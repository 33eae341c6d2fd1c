/**
 * Random sequences of calls against a model, with `kill -9` of the service in between: each call gives
 * the answer of the model, and after a start everything is as it says. The call that the service was
 * killed in is done or not begun.
 */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import {entryPoint} from '../base/entry-point.ts';
import {makeCall, showFleet} from './testing/fleet-calls.ts';
import {FleetModel, type Fleet, type FleetCall} from './testing/fleet-model.ts';
import {openTestService, settle, type TestService} from './testing/test-service.ts';

const ACCOUNT = '123456770000';
const CHILD = entryPoint('cluster/testing/sequence-child');

/** Few names, so that calls meet. */
const cluster = fc.constantFrom('c0', 'c1', 'c2');
const instance = fc.constantFrom('i0', 'i1', 'i2', 'i3');
const endpoint = fc.constantFrom('e0', 'e1');
const word = fc.constantFrom('x', 'y', 'z');
const one = <K extends FleetCall['kind']>(kind: K): fc.Arbitrary<K> => fc.constant(kind);

const call: fc.Arbitrary<FleetCall> = fc.oneof(
  {weight: 3, arbitrary: fc.record({kind: one('createCluster'), cluster})},
  {weight: 5, arbitrary: fc.record({kind: one('createInstance'), cluster, instance})},
  {weight: 3, arbitrary: fc.record({kind: one('clone'), cluster, to: cluster})},
  {weight: 6, arbitrary: fc.record({kind: one('put'), cluster, word})},
  fc.record({kind: one('deleteCluster'), cluster}),
  fc.record({kind: one('stop'), cluster}),
  {weight: 2, arbitrary: fc.record({kind: one('start'), cluster})},
  fc.record({kind: one('protect'), cluster, on: fc.boolean()}),
  fc.record({kind: one('renameCluster'), cluster, to: cluster}),
  {weight: 2, arbitrary: fc.record({kind: one('failover'), cluster})},
  fc.record({kind: one('deleteInstance'), instance}),
  fc.record({kind: one('reboot'), instance}),
  fc.record({kind: one('renameInstance'), instance, to: instance}),
  fc.record({kind: one('tag'), cluster, value: word}),
  fc.record({kind: one('createEndpoint'), cluster, endpoint}),
  fc.record({kind: one('deleteEndpoint'), endpoint}),
);

/** So that few calls find nothing there. */
const BEGIN: readonly FleetCall[] = [
  {kind: 'createCluster', cluster: 'c0'},
  {kind: 'createInstance', cluster: 'c0', instance: 'i0'},
  {kind: 'put', cluster: 'c0', word: 'a'},
];

type Life = {readonly calls: FleetCall[]; readonly lastCallMs: number};
/** One life of the service: it is killed so long after the last call but one was answered. */
const life: fc.Arbitrary<Life> = fc.record({
  calls: fc.array(call, {minLength: 2, maxLength: 12}),
  lastCallMs: fc.nat(120),
});

/** The answers to the calls that were answered before the service was killed. */
async function killedLife(directory: string, {calls, lastCallMs}: Life): Promise<unknown[]> {
  const child = spawn(process.execPath, [CHILD, directory, ACCOUNT, JSON.stringify(calls)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const answers: unknown[] = [];
  for await (const line of createInterface({input: child.stdout})) {
    answers.push(JSON.parse(line));
    if (answers.length < calls.length - 1) continue;
    await sleep(lastCallMs);
    child.kill('SIGKILL');
  }
  const [status] = await exit;
  expect(status, 'it ended by itself only when all was done').toBeOneOf([0, null]);
  return answers;
}

/** What is there must be what the model says with or without the call that was cut off. */
function followCutOff(model: FleetModel, cutOff: FleetCall | undefined, shown: Fleet): void {
  if (cutOff === undefined || equal(model.show(), shown)) return;
  model.apply(cutOff);
}

function equal(expected: Fleet, shown: Fleet): boolean {
  try {
    expect(shown).toEqual(expected);
    return true;
  } catch {
    return false;
  }
}

function expectNothingElse({catalog, storage}: TestService): void {
  const owned = [
    ...catalog.goldenVolumes.list().map(({volume}) => volume),
    ...catalog.clusters.list().flatMap(({volume}) => volume ?? []),
    ...catalog.instances.list().flatMap(({scratchVolume}) => scratchVolume ?? []),
  ];
  expect(storage.listVolumes()).toEqual(owned.sort((a, b) => a - b));
  for (const {identifier} of catalog.clusters.list()) {
    const members = catalog.instances
      .list()
      .filter(({clusterIdentifier}) => clusterIdentifier === identifier);
    const writers = members.filter(({role}) => role === 'writer');
    expect(writers, identifier).toHaveLength(members.length === 0 ? 0 : 1);
  }
}

async function withService<T>(
  directory: string,
  use: (service: TestService) => Promise<T>,
): Promise<T> {
  const service = await openTestService(directory, undefined, ACCOUNT);
  try {
    await settle(service);
    return await use(service);
  } finally {
    await service.close();
  }
}

test('a service that is killed again and again is what its calls made of it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(life, {minLength: 1, maxLength: 3}), async lives => {
      const directory = mkdtempSync(join(tmpdir(), 'borealis-sequences-'));
      const model = new FleetModel();
      try {
        await withService(directory, async service => {
          for (const each of BEGIN) expect(await makeCall(service, each)).toBe(model.apply(each));
        });
        for (const each of lives) {
          const answers = await killedLife(directory, each);
          const expected = each.calls.slice(0, answers.length).map(made => model.apply(made));
          expect(answers).toEqual(expected);
          await withService(directory, async service => {
            followCutOff(model, each.calls[answers.length], showFleet(service));
            expect(showFleet(service)).toEqual(model.show());
            expectNothingElse(service);
          });
        }
      } finally {
        rmSync(directory, {recursive: true});
      }
    }),
    // A shorter one takes minutes to find.
    {numRuns: Number(process.env['BOREALIS_SEQUENCES'] ?? 6), endOnFailure: true},
  );
}, 600_000);
