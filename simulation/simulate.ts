/**
 * One seed is one run: the same history of operations and faults each time, whatever the machine does.
 */
import {errorChain} from '../src/base/errors.ts';
import {ProcessEnded, seeded, type Random} from '../src/page-store/testing/zone-faults.ts';
import {demand, pick, Violation} from './content.ts';
import {randomPlan} from './plan.ts';
import {chooseStep, create, stepsOf, sweepStore} from './steps.ts';
import {oneZone, type StoreFactory} from './store-under-test.ts';
import {demandNothingUnreachable, look} from './survivors.ts';
import {World} from './world.ts';
import {severalZones} from './zones-under-test.ts';

/** How many zones a seed has, and how many of them must hold what is acknowledged. */
const ZONES: readonly {readonly count: number; readonly factory: StoreFactory}[] = [
  ...[1, 2, 3, 4].map(() => ({count: 1, factory: oneZone})),
  {count: 2, factory: severalZones(2, 2)},
  ...[1, 2, 3].map(() => ({count: 3, factory: severalZones(3, 2)})),
];
const STEPS_MIN = 15;
const STEPS_SPREAD = 60;

export type Failure = {
  readonly seed: number;
  readonly step: number;
  /** What was going on. */
  readonly name: string;
  readonly message: string;
};

export type Run = {
  readonly steps: number;
  /** Calls of a zone. */
  readonly calls: number;
  /** How often each fault struck. */
  readonly faults: ReadonlyMap<string, number>;
  readonly failure: Failure | null;
};

export type SimulateOptions = {
  readonly seed: number;
  readonly store?: StoreFactory;
  /** Told of each step, fault and outcome. */
  readonly trace?: (line: string) => void;
};

/** How many zones the seed has. */
export function zoneCountOf(seed: number): number {
  return pick(randomOf(seed), ZONES).count;
}

function randomOf(seed: number): Random {
  const random = seeded(seed);
  // The first numbers of neighbouring seeds are alike.
  for (let skip = 0; skip < 8; skip++) random(2);
  return random;
}

export function simulate({seed, store, trace = () => undefined}: SimulateOptions): Run {
  const random = randomOf(seed);
  const zones = pick(random, ZONES);
  let step = 0;
  let name = 'begin';
  let world: World | null = null;
  const at = (next: string): void => {
    step++;
    name = next;
    trace(`${step} ${next}`);
  };
  try {
    const {count, factory} = store === undefined ? zones : {count: 1, factory: store};
    const plan = randomPlan(random, count);
    trace(`seed ${seed}: ${count} zones, ${JSON.stringify(plan)}`);
    world = new World(factory, random, trace);
    create(world);
    const steps = stepsOf(plan);
    for (let left = STEPS_MIN + random(STEPS_SPREAD); left > 0; left--) {
      const chosen = chooseStep(steps, random);
      const member = world.members[random(world.members.length)];
      at(member === undefined ? chosen.name : `${chosen.name}, volume ${member.number}`);
      world.lapse();
      if (member === undefined) create(world);
      else chosen.run(world, member);
    }
    finish(world, random, at);
    return {...countsOf(world, step), failure: null};
  } catch (error) {
    const known = error instanceof Violation;
    const message = known ? error.message : describe(error);
    return {...countsOf(world, step), failure: {seed, step, name, message}};
  }
}

function countsOf(world: World | null, steps: number): Omit<Run, 'failure'> {
  return {steps, calls: world?.store.faults.calls ?? 0, faults: world?.faults ?? new Map()};
}

/** No more faults: what there is must be as the models say, and goes when nobody wants it any more. */
function finish(world: World, random: Random, at: (name: string) => void): void {
  const {store, members} = world;
  store.faults.disarmAll();
  at('end of the faults');
  if (random(2) === 0) world.settle();
  if (random(2) === 0) world.powerCut();
  else world.killAll();
  world.settle();
  for (const round of ['first', 'second']) {
    for (const member of members.filter(({corrupt}) => corrupt === null)) {
      at(`${round} look at volume ${member.number}`);
      look(world, member);
    }
    at('sweep');
    sweepStore(world);
  }
  at('each zone alone');
  world.settle(true);
  // Damage may stand in the way of a sweep, or of one zone's part in it.
  if (world.inflicted === null) demandNothingUnreachable(world);
  for (const zone of store.zonesAlone()) world.checkAlone(zone);
  at('remove all');
  world.killAll();
  // Those as well that nobody lived to hear of.
  for (const volume of store.zone.listVolumes()) store.zone.deleteVolumeRecord(volume);
  members.length = 0;
  // A zone that catches up while another one deletes may bring back what is then swept once more.
  for (let round = 0; round < store.zoneCount; round++) {
    sweepStore(world);
    world.settle();
  }
  demand(
    store.segmentCount() === 0,
    () => `${store.segmentCount()} segments stay that nothing reaches`,
  );
}

function describe(error: unknown): string {
  if (error instanceof ProcessEnded) return 'a process ended where none runs';
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return `${errorChain(error)}\n${stack.split('\n').slice(1, 6).join('\n')}`;
}
