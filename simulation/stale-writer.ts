/**
 * A writer that was taken for dead while it was only slow, and goes on after another one opened the
 * volume. Nothing that it does may show: not to the writer after it, and not after a crash.
 */
import {BorealisError} from '../src/base/errors.ts';
import {pick, Violation} from './content.ts';
import type {Member, Opened} from './member.ts';
import type {World} from './world.ts';

export function leaveStaleWriter(world: World, member: Member): void {
  if (member.opened === null || member.stale !== null || member.corrupt !== null) return;
  const stale = member.opened;
  world.log(`    the writer of ${member.number} stalls`);
  world.killWriter(member, true);
  member.stale = stale;
  member.isTakenOver = false;
  member.hadStale = true;
  world.count('stale-writer');
  world.open(member);
}

export function actAsStaleWriter(world: World): void {
  const {random} = world;
  const stalled = world.members.filter(({stale, isTakenOver}) => stale !== null && isTakenOver);
  const member = stalled[random(Math.max(1, stalled.length))];
  if (member === undefined) return;
  const {stale} = member;
  if (stale === null) return;
  world.attempt(null, () => act(world, member, stale));
}

function act(world: World, member: Member, {volume, content}: Opened): void {
  const what = pick(world.random, ['operate', 'operate', 'barrier', 'checkpoint', 'idle', 'close']);
  world.log(`    stale writer of ${member.number}: ${what}`);
  try {
    if (what === 'operate') operate(world, member, {volume, content});
    else if (what === 'barrier') volume.barrier();
    else if (what === 'checkpoint') volume.checkpoint();
    else if (what === 'idle') volume.onIdle();
    else volume.close();
  } catch (error) {
    // It has no model any more: what it sees is nobody's. That it is refused is right.
    if (!(error instanceof BorealisError || error instanceof Violation)) throw error;
  }
  if (what === 'close') member.stale = null;
}

function operate(world: World, member: Member, {volume, content}: Opened): void {
  const operation = content.plan(member.kind.empty, world.random);
  volume.flush();
  if (world.fits(operation.pagesMax)) operation.run();
}
