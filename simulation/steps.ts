/** What may happen in a simulation, one step at a time. */
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {removeVolume} from '../src/page-store/store.ts';
import type {FaultName, Random} from '../src/page-store/testing/zone-faults.ts';
import {forkIdleVolume} from '../src/volume/idle-volume.ts';
import {sweep, type SweepPolicy} from '../src/volume/sweeper.ts';
import {pick, type ContentKind, type State} from './content.ts';
import {fileContent} from './file-content.ts';
import type {Member, Opened} from './member.ts';
import {pageContent} from './page-content.ts';
import {actAsStaleWriter, leaveStaleWriter} from './stale-writer.ts';
import type {Plan} from './plan.ts';
import type {DamageKind, ZoneTrouble} from './store-under-test.ts';
import type {World} from './world.ts';

const MEMBERS_MAX = 6;
const COMMITS = 40;
/** Compacts whatever has something dead in it. */
const EAGER: SweepPolicy = {
  amplificationTarget: 1,
  deadShareMin: 0,
  deadBytesMin: 1,
  turnBytesMax: 2 ** 20,
};

export type Step = {
  readonly name: string;
  readonly weight: number;
  readonly run: (world: World, member: Member) => void;
};

export function stepsOf(plan: Plan): Step[] {
  const steps = [...STEPS];
  if (plan.ends) steps.push({name: 'arm the end', weight: 8, run: armEnd});
  if (plan.failures) steps.push({name: 'arm a failure', weight: 6, run: armFailure});
  if (plan.fullDisk) {
    steps.push({name: 'fill the disk', weight: 3, run: fillDisk});
    steps.push({name: 'make room', weight: 3, run: makeRoom});
  }
  if (plan.staleWriters) {
    steps.push({name: 'leave a stale writer', weight: 4, run: leaveStaleWriter});
    steps.push({name: 'stale writer', weight: 12, run: actAsStaleWriter});
  }
  if (plan.troubles) {
    steps.push({
      name: 'trouble',
      weight: 8,
      run: world => trouble(world, ['slow', 'hung', 'failing']),
    });
  }
  const {losses, damage} = plan;
  if (losses === 'empty')
    steps.push({name: 'lose', weight: 2, run: world => trouble(world, [losses])});
  if (losses === 'older') {
    steps.push({name: 'remember', weight: 4, run: world => trouble(world, ['remember'])});
    steps.push({name: 'lose', weight: 2, run: world => trouble(world, [losses])});
  }
  if (damage !== null) {
    steps.push({name: 'damage', weight: 5, run: world => inflict(world, damage)});
  }
  return steps;
}

const STEPS: readonly Step[] = [
  {name: 'operate', weight: 44, run: opened(operate)},
  {name: 'check', weight: 4, run: opened((world, member, open) => world.check(member, open))},
  {name: 'probe', weight: 4, run: opened(probe)},
  {name: 'barrier', weight: 10, run: settled((world, member, open) => world.barrier(member, open))},
  {
    name: 'begin barrier',
    weight: 6,
    run: opened((world, member, open) => world.beginBarrier(member, open)),
  },
  {
    name: 'finish barriers',
    weight: 6,
    run: opened((world, member, open) => world.finishBarriers(member, open)),
  },
  {
    name: 'checkpoint',
    weight: 5,
    run: settled((world, member, open) => world.checkpoint(member, open)),
  },
  {name: 'idle', weight: 5, run: settled(idle)},
  {name: 'commits', weight: 1, run: settled(commits)},
  {name: 'create', weight: 2, run: world => create(world)},
  {
    name: 'fork',
    weight: 5,
    run: settled((world, member, open) => fork(world, member, open, false)),
  },
  {name: 'idle fork', weight: 3, run: (world, member) => idleFork(world, member, false)},
  {
    name: 'snapshot',
    weight: 3,
    run: settled((world, member, open) => fork(world, member, open, true)),
  },
  {name: 'idle snapshot', weight: 2, run: (world, member) => idleFork(world, member, true)},
  {name: 'remove', weight: 2, run: remove},
  {name: 'sweep', weight: 5, run: world => sweepStore(world)},
  {name: 'close', weight: 4, run: settled(close)},
  {name: 'kill', weight: 4, run: kill},
  {name: 'kill all', weight: 1, run: world => world.killAll()},
  {name: 'power cut', weight: 3, run: world => world.powerCut()},
  {name: 'cut after a barrier', weight: 2, run: settled(cutAfterBarrier)},
];

/** What other processes do in the middle of a call. */
const TURN_NAMES = [
  'operate',
  'check',
  'barrier',
  'checkpoint',
  'idle',
  'close',
  'create',
  'fork',
  'idle fork',
  'snapshot',
  'remove',
];
/** A new volume is what a sweep can take for garbage: it is made often. */
const TURN_CREATE_WEIGHT = 12;
const TURNS: readonly Step[] = STEPS.filter(({name}) => TURN_NAMES.includes(name)).map(step =>
  step.name === 'create' ? {...step, weight: TURN_CREATE_WEIGHT} : step,
);

export function chooseStep(steps: readonly Step[], random: Random): Step {
  let left = random(steps.reduce((sum, {weight}) => sum + weight, 0));
  for (const step of steps) {
    left -= step.weight;
    if (left < 0) return step;
  }
  return steps[0] as Step;
}

/** A volume that is there, durably. */
export function create(world: World): void {
  if (world.members.length >= MEMBERS_MAX) return;
  const kind: ContentKind<State> = pick(world.random, [pageContent, fileContent]);
  let number: VolumeNumber | null = null;
  const isDone = world.attempt(null, () => {
    number = world.newNumber();
    world.log(`    volume ${number} (${kind.name})`);
    const volume = world.openVolume(number, true);
    kind.format(volume, world.clock);
    volume.close();
    world.store.kill(number);
    world.addMember(number, kind, [kind.empty]);
  });
  // Cut off: whoever made it is gone, and the service removes what it made.
  if (!isDone && number !== null) {
    const left = number;
    world.store.kill(left);
    undo(world, left);
  }
}

function undo(world: World, number: VolumeNumber): void {
  world.attempt(null, () => removeVolume(world.store.zone, number));
}

/** Whether a volume whose making was cut off is there. Where that is open, the service undoes it. */
function isMade(world: World, number: VolumeNumber): boolean {
  const found = world.store.hasRecord(number);
  if (found === 'in part') undo(world, number);
  return found === 'yes';
}

/** Runs a step on a volume that is open; opens it first. */
function opened(
  run: (world: World, member: Member, opened: Opened) => void,
): (world: World, member: Member) => void {
  return (world, member) => {
    if (member.corrupt !== null || member.isSnapshot) return;
    if (member.opened === null && !openAmongOthers(world, member)) return;
    if (member.opened !== null) run(world, member, member.opened);
  };
}

/** The same, with no barrier under way. */
function settled(
  run: (world: World, member: Member, opened: Opened) => void,
): (world: World, member: Member) => void {
  return opened((world, member, open) => {
    world.finishBarriers(member, open);
    if (member.opened !== null) run(world, member, member.opened);
  });
}

function openAmongOthers(world: World, member: Member): boolean {
  let isOpen = false;
  amongOthers(world, [member], () => {
    isOpen = world.open(member);
  });
  return isOpen;
}

/** Runs `run` while the writers of other volumes than `busy` take turns in the middle of it. */
function amongOthers(world: World, busy: readonly Member[], run: () => void): void {
  const turn = (): void => {
    const others = world.members.filter(
      member => !busy.includes(member) && member.opened !== null && member.corrupt === null,
    );
    if (others.length === 0) return;
    const step = chooseStep(TURNS, world.random);
    const other = pick(world.random, others);
    world.log(`      meanwhile: ${step.name} of ${other.number}`);
    step.run(world, other);
  };
  world.interleaved(turn, run);
}

function operate(world: World, member: Member): void {
  for (let left = 1 + world.random(3); left > 0 && member.opened !== null; left--) {
    world.operate(member, member.opened);
  }
}

function probe(world: World, member: Member, {content}: Opened): void {
  world.attempt(member, () => content.probe(member.history.last, world.random));
}

function idle(world: World, member: Member, {volume}: Opened): void {
  world.attempt(member, () => {
    volume.onIdle();
    member.unflushedPages = 0;
  });
}

/** Many small commits in a row: a segment is then grown ahead. */
function commits(world: World, member: Member): void {
  for (let left = COMMITS; left > 0 && member.opened !== null; left--) {
    world.operate(member, member.opened);
    if (member.opened !== null) world.barrier(member, member.opened);
  }
}

/** Zones that were not waited for have not synced yet. */
function cutAfterBarrier(world: World, member: Member, open: Opened): void {
  world.operate(member, open);
  // Both ways of a barrier: each asks the zones by itself how far they are.
  const isInHalves = world.random(2) === 0;
  if (member.opened !== null && isInHalves) world.beginBarrier(member, open);
  if (member.opened !== null && isInHalves) world.finishBarriers(member, open);
  if (member.opened !== null && !isInHalves) world.barrier(member, open);
  world.powerCut();
}

function fork(world: World, member: Member, {volume}: Opened, isSnapshot: boolean): void {
  if (world.members.length >= MEMBERS_MAX) return;
  let child: VolumeNumber | null = null;
  const state = member.history.last;
  const isDone = world.attempt(member, () => {
    const number = world.newNumber();
    child = number;
    world.log(`    volume ${number} from ${member.number}`);
    const {lsn} = volume.fork(number);
    member.unflushedPages = 0;
    member.barriers = [];
    member.history.settle(state, lsn);
  });
  if (child === null) return;
  // Cut off, or refused: the child is there or not, and it is whole if it is.
  if (isDone || isMade(world, child)) {
    world.addMember(child, member.kind, [state], isSnapshot);
  }
}

/** By the service, of a volume that nobody has open. */
function idleFork(world: World, member: Member, isSnapshot: boolean): void {
  const {random, store} = world;
  if (world.members.length >= MEMBERS_MAX || member.corrupt !== null) return;
  if (member.opened !== null) {
    if (random(2) === 0) world.killWriter(member);
    else settled(close)(world, member);
  }
  if (member.opened !== null) return;
  const candidates = member.history.candidates(world.damage);
  let child: VolumeNumber | null = null;
  const isDone = world.attempt(null, () => {
    const number = world.newNumber();
    child = number;
    world.log(`    volume ${number} from ${member.number}`);
    const {zone} = store;
    const {segmentBytes, clock} = world;
    const source = {zone, volume: member.number, nodeCacheBytes: 0, segmentBytes, clock};
    forkIdleVolume(source, number);
  });
  if (child === null) return;
  if (!isDone && !isMade(world, child)) return;
  const made = world.addMember(child, member.kind, candidates, isSnapshot);
  // Which of the candidates it was, shows at the source; the child must be the same.
  if (isDone && !member.isSnapshot && world.open(member))
    made.history.settle(member.history.last, -1);
}

function remove(world: World, member: Member): void {
  if (world.members.length < 2) return;
  const {random, store} = world;
  if (member.opened !== null) {
    if (random(2) === 0) world.killWriter(member);
    else settled(close)(world, member);
  }
  if (member.opened !== null) return;
  member.stale = null;
  const isDone = world.attempt(null, () => removeVolume(store.zone, member.number));
  // With several zones it may still be done in one of them, and then it is done in all.
  const isGone = isDone || store.zoneCount > 1 || store.hasRecord(member.number) === 'no';
  if (isGone) world.removeMember(member);
}

export function sweepStore(world: World): void {
  amongOthers(world, [], () => {
    world.attempt(null, () => {
      const {segmentsDeleted, segmentsCompacted} = sweep(
        world.store.sweeperZone,
        world.census,
        EAGER,
      );
      world.log(`    ${segmentsDeleted} segments deleted, ${segmentsCompacted} compacted`);
    });
  });
}

export function close(world: World, member: Member, {volume}: Opened): void {
  const state = member.history.last;
  const isDone = world.attempt(member, () => {
    // Without a quorum it is let go of as by a crash.
    const isOrderly = volume.isWritable();
    volume.close();
    if (isOrderly) member.history.settle(state, volume.lsn);
  });
  if (isDone) world.killWriter(member);
}

function kill(world: World, member: Member): void {
  world.killWriter(member);
}

function armEnd({store, random}: World): void {
  store.faults.arm('end', random(60));
}

function armFailure({store, random, log}: World): void {
  const fault: FaultName = pick(random, ['read-error', 'write-error', 'sync-error', 'sync-error']);
  log(`    ${fault}`);
  store.faults.arm(fault, random(8));
}

function trouble(world: World, kinds: readonly ZoneTrouble[]): void {
  const what = pick(world.random, kinds);
  const done = world.attempt(null, () => {
    const place = world.trouble(what);
    if (place === null) return;
    world.count(what);
    world.log(`    ${place}`);
  });
  if (!done) world.log('    the trouble did not come about');
}

function fillDisk({store, random}: World): void {
  store.faults.capacityBytes = store.usedBytes() + random(300_000);
}

function makeRoom({store}: World): void {
  store.faults.capacityBytes = Infinity;
}

/** Once a seed: what is then demanded supposes one place of damage. */
function inflict(world: World, kind: DamageKind): void {
  const {store, random} = world;
  if (world.inflicted !== null) return;
  if (kind === 'lost-write') return store.faults.arm('lose-write', random(10));
  if (kind === 'misdirected-write') return store.faults.arm('misdirect-write', random(10));
  const place = store.rot(kind, random);
  if (place === null) return;
  world.inflicted = kind;
  world.count(kind);
  world.log(`    a bit rots: ${place}`);
  // Headers are read when a volume is opened, and no more once there was another checkpoint.
  if (random(2) === 0) world.killAll();
}
