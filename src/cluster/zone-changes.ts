/**
 * Carries out a change of the store's zones, step by step, while everything goes on (zone-plan.ts).
 *
 *     plan in zones.json ─▶ store's threads, every instance process told ─▶ what the step asks for holds ─▶ next plan
 *
 * It asks anew until all have answered, for as long as it takes; a start of the service goes on with what it
 * finds in the plan. A process with one directory and no mirror is started anew in order, and so is one
 * that does not see the directory of the new zone: its mounts are its own.
 */
import {rm} from 'node:fs/promises';
import {join} from 'node:path';
import type {ZoneConfig} from '../attachment/attachment.ts';
import {sleep, withDeadline} from '../base/clock.ts';
import {crashPoint} from '../base/crash-point.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import {MIRROR_NEEDED} from '../page-store/open-zones.ts';
import type {MembershipState} from '../page-store/zone.ts';
import type {LaunchedProcess, LaunchedProcesses} from './launched-processes.ts';
import {levelAll} from './level-volumes.ts';
import type {Supervisor} from './supervisor.ts';
import {addEvent, type World} from './world.ts';
import {beginChange, nextPlan, undoPlan, type ZoneChange, type ZonePlan} from './zone-plan.ts';

const POLL_MS = 250;
/** A process that lacks the new zone for so long, once that was filled, does not see its directory. */
const UNSEEN_MS = 20_000;
/** Before what was copied is deleted: for the copies that were under way. */
const UNDO_DELAY_MS = 1_000;
const UNDO_MS_MAX = 60_000;

export type ZoneChangesWorld = Pick<
  World,
  'catalog' | 'clock' | 'logger' | 'storeZones' | 'volumeLocks' | 'renewSpare'
> & {
  readonly storage: Pick<World['storage'], 'membership'>;
  readonly processes: Pick<LaunchedProcesses, 'list'>;
};

export class ZoneChanges {
  readonly #world: ZoneChangesWorld;
  readonly #supervisor: Pick<Supervisor, 'restart'>;
  readonly #stopping = new AbortController();
  /** Since when a process lacks the new zone, by its id. */
  readonly #unseenSinceMs = new Map<number, number>();
  #waitingFor: readonly string[] = [];
  #auditedNumber = 0;
  #run: Promise<void> | null = null;

  constructor(world: ZoneChangesWorld, supervisor: Pick<Supervisor, 'restart'>) {
    this.#world = world;
    this.#supervisor = supervisor;
  }

  /** What the step under way waits for, for people. */
  get waitingFor(): readonly string[] {
    return this.#waitingFor;
  }

  /** Goes on with a change that is in the plan. */
  resume(): void {
    if (this.#run !== null || this.#stopping.signal.aborted) return;
    this.#run = this.#drive().finally(() => {
      this.#run = null;
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run;
  }

  begin(kind: ZoneChange['kind'], zone: ZoneConfig): void {
    // A disk may have been mounted since the spare process was made.
    if (kind === 'add') this.#world.renewSpare();
    this.#write(beginChange(this.#world.storeZones.plan, kind, zone));
    this.resume();
  }

  /** Gives up adding a zone that is still being filled. */
  undo(): void {
    this.#write(undoPlan(this.#world.storeZones.plan));
    this.resume();
  }

  async #drive(): Promise<void> {
    const {storeZones} = this.#world;
    while (storeZones.plan.change !== null && !this.#stopping.signal.aborted) {
      if (!(await this.step())) await sleep(POLL_MS, this.#stopping.signal);
    }
    this.#waitingFor = [];
  }

  /** Asks everybody once, and goes on to the next plan if nothing is waited for. False if something is. */
  async step(): Promise<boolean> {
    const {storeZones, logger} = this.#world;
    const {plan} = storeZones;
    try {
      this.#waitingFor = await this.#advance(plan);
    } catch (error) {
      this.#waitingFor = [errorChain(error)];
      logger.warn({zone: plan.change?.zone.name}, `a change of zones waits: ${errorChain(error)}`);
    }
    // It may have been given up meanwhile.
    if (this.#waitingFor.length > 0 || storeZones.plan !== plan) return false;
    this.#write(nextPlan(plan));
    return true;
  }

  #write(plan: ZonePlan): void {
    const {storeZones, catalog} = this.#world;
    const change = plan.change ?? storeZones.plan.change;
    const phase = plan.change?.phase ?? 'done';
    crashPoint(`zone.${phase}.before-plan`);
    storeZones.write(plan);
    crashPoint(`zone.${phase}.after-plan`);
    if (change === null) return;
    const message = stepMessage(change, plan.change?.phase ?? null);
    catalog.transaction(() => addEvent(this.#world, 'service', change.zone.name, message));
  }

  /** Does what the step asks for; returns what it waits for. */
  async #advance({number, change}: ZonePlan): Promise<readonly string[]> {
    const {storage, storeZones} = this.#world;
    if (change === null) return [];
    await storage.membership.change(storeZones.config);
    const {states, late} = await this.#tellAll();
    if (late.length > 0) return late;
    switch (change.phase) {
      case 'joining':
        return await this.#untilFilled(change.zone, states);
      case 'joint':
        await storage.membership.record();
        return await this.#untilSettled(number, states);
      case 'leaving':
        await storage.membership.record();
        if (!(await storage.membership.markRemoved(change.zone.name))) this.#noteUnmarked(change);
        return [];
      case 'closing':
        await storage.membership.record();
        return [];
      case 'undoing':
        await storage.membership.record();
        await this.#deleteCopy(change.zone);
        return [];
    }
  }

  /** Tells every process which zones there are, and hears how far each has come. */
  async #tellAll(): Promise<{states: States; late: string[]}> {
    const states: States = new Map();
    const late: string[] = [];
    const tell = async (launched: LaunchedProcess): Promise<void> => {
      const {name, role} = launched.config;
      try {
        if (role === 'golden' || !launched.isReady) late.push(`${name} is starting`);
        else states.set(launched, await this.#tell(launched));
      } catch (error) {
        late.push(`${name}: ${errorChain(error)}`);
      }
    };
    await Promise.all(this.#world.processes.list().map(tell));
    return {states, late};
  }

  async #tell({handle, config}: LaunchedProcess): Promise<MembershipState> {
    try {
      return await handle.request('changeZones', this.#world.storeZones.config);
    } catch (error) {
      if (!(error instanceof BorealisError) || error.code !== MIRROR_NEEDED) throw error;
      this.#supervisor.restart(config.name, 'the store gets a second zone', 'in order');
      throw new BorealisError(
        'unavailable',
        'zone-restart',
        'it is started anew for several zones',
      );
    }
  }

  /** The keeper fills the zone with all volumes, then each writer with its own. */
  async #untilFilled({name}: ZoneConfig, states: States): Promise<string[]> {
    const keeper = await this.#world.storage.membership.state();
    if (!keeper.current.includes(name)) return [`zone ${name} is being filled`];
    const lacking = [...states].filter(([, {current}]) => !current.includes(name));
    for (const [{config, handle}, {broken}] of lacking) {
      const nowMs = this.#world.clock.monotonicMs();
      const isUnseen = broken.includes(name);
      const sinceMs = isUnseen ? (this.#unseenSinceMs.get(handle.pid) ?? nowMs) : nowMs;
      this.#unseenSinceMs.set(handle.pid, sinceMs);
      if (nowMs - sinceMs < UNSEEN_MS) continue;
      this.#unseenSinceMs.delete(handle.pid);
      this.#supervisor.restart(config.name, `it does not see zone ${name}`, 'in order');
    }
    return lacking.map(([{config}]) => `${config.name} brings its volume to zone ${name}`);
  }

  /** Whatever was acknowledged, to whomever, is on a write quorum of the new zones. */
  async #untilSettled(number: number, states: States): Promise<string[]> {
    const {membership} = this.#world.storage;
    const waiting = [...states].flatMap(([{config}, {isSettled}]) =>
      isSettled ? [] : [`${config.name} has too few zones that are up to date`],
    );
    // After the states: the volume of a process that has ended since is among these.
    waiting.push(...(await levelAll(this.#world)));
    // From now on everybody writes to both sets, so what is found whole stays so.
    if (this.#auditedNumber !== number) {
      await membership.audit();
      this.#auditedNumber = number;
    }
    if (!(await membership.state()).isSettled) waiting.push('the zones are compared');
    return waiting;
  }

  #noteUnmarked({zone}: ZoneChange): void {
    const text = `Zone ${zone.name} could not be told that it was removed: do not use ${zone.directory} again as it is`;
    this.#world.logger.warn({zone: zone.name}, text);
    this.#world.catalog.transaction(() => addEvent(this.#world, 'service', zone.name, text));
  }

  /** The directory was empty before. */
  async #deleteCopy({name, directory}: ZoneConfig): Promise<void> {
    await sleep(UNDO_DELAY_MS, this.#stopping.signal);
    const removal = Promise.all(
      ['volumes', 'store'].map(entry => rm(join(directory, entry), {recursive: true, force: true})),
    );
    const late = (): Error => new Error('it takes too long');
    try {
      await withDeadline(removal, UNDO_MS_MAX, late);
    } catch (error) {
      this.#world.logger.warn({zone: name}, `what was copied stays: ${errorChain(error)}`);
    }
  }
}

type States = Map<LaunchedProcess, MembershipState>;

function stepMessage({kind, zone}: ZoneChange, phase: ZoneChange['phase'] | null): string {
  const {name, directory} = zone;
  switch (phase) {
    case 'joining':
      return `Zone ${name} (${directory}) is being added: it is filled, and does not count yet`;
    case 'joint':
      return kind === 'add'
        ? `Zone ${name} is filled: commits wait for a write quorum with it and without it`
        : `Zone ${name} (${directory}) is being removed: commits wait for a write quorum with it and without it`;
    case 'leaving':
      return `Zone ${name} does not count any more`;
    case 'closing':
      return kind === 'add' ? `Zone ${name} counts` : `Zone ${name} is let go of`;
    case 'undoing':
      return `Zone ${name} is not added after all: what was copied is deleted`;
    case null:
      return kind === 'add'
        ? `The change of zones is done: ${name}`
        : `Zone ${name} was removed from the store; its directory ${directory} stays as it is`;
  }
}
