/**
 * A cluster under transfers, one fault after the other, clones taken throughout.
 *
 *     round:  load ─▶ (clone) ─▶ fault, perhaps while the clone is made ─▶ it serves again ─▶ checks
 *             ─▶ a zone that was lost comes back
 *             ─▶ the oldest clone, by now through several faults, gets a writer and is checked
 *
 * Of several zones one is lost at a time: before the next is, all must be healthy, and a scrub clean.
 *
 * What decides is drawn from the seed; when exactly a fault meets the load is not.
 */
import {sleep, systemClock} from '../src/base/clock.ts';
import {BorealisError, errorChain} from '../src/base/errors.ts';
import {randomToken} from '../src/base/random.ts';
import {SeededRandom} from '../src/base/testing/seeded-random.ts';
import type {Service} from '../src/cli/service.ts';
import {checkDataDirectory, zonesOf} from '../src/cluster/check.ts';
import {Clusters} from '../src/demo/clusters.ts';
import {ServiceProcess, type LeftBehind} from '../src/demo/service-process.ts';
import type {Cleanup} from '../conformance/cleanup.ts';
import type {Subject} from '../conformance/outcome.ts';
import {checkServer, newChecker, type Checker} from './checks.ts';
import {faultOrder, faultsFor, type Fault} from './faults.ts';
import {createLedger, type Expectation} from './ledger.ts';
import {findProcesses, isRunning} from './processes.ts';
import {openClient, Workload, type Address} from './workload.ts';
import {ZoneDirectories} from './zone-directories.ts';
import {scrubFault, zonesFault} from './zone-health.ts';

export type TortureOptions = {
  readonly minutes: number;
  readonly rounds: number;
  readonly seed: number;
  /** 1, or from 3 to 6: with two, the loss of one stops writes. */
  readonly zones: number;
  readonly postgresBin: string | undefined;
  log(line: string): void;
};

const LEDGER = 'ledger';
const SESSIONS = 6;
const MINUTE_MS = 60_000;
const LOAD_MS = {least: 300, spread: 1500} as const;
/** The supervisor waits longer each time; an instance that lived for ten seconds is taken for sound again. */
const STABLE_MS = 11_000;
const SLOW_RECOVERY_MS = 3000;
/** A server that does not answer within this after a fault has failed. */
const RECOVERY_LIMIT_MS = 90_000;
/** Within this an instance notices that a part of it is gone. */
const END_LIMIT_MS = 10_000;
const POLL_MS = 20;
/** Clones that wait for their check; each goes through about so many faults before. */
const CLONES_WAITING_MAX = 3;
const CLONE_PERCENT = 60;
const PASSWORD_LENGTH = 24;

type TakenClone = {readonly name: string; readonly expectation: Expectation};

export async function torture(options: TortureOptions, cleanup: Cleanup): Promise<Subject> {
  const how = `--seed ${options.seed} --zones ${options.zones}`;
  options.log(`torture: ${options.minutes} minutes, ${how}`);
  const checker = newChecker(line => options.log(line));
  const run = new Torture(options, checker);
  const cancel = cleanup.add(() => run.remove());
  try {
    await run.start();
    await run.rounds();
    await run.finish();
  } catch (error) {
    checker.note('the run goes to its end', errorChain(error));
  } finally {
    cancel();
    await run.remove();
  }
  return {name: `torture ${how}`, outcomes: checker.outcomes};
}

class Torture {
  readonly #options: TortureOptions;
  readonly #checker: Checker;
  readonly #random: SeededRandom;
  readonly #zones: ZoneDirectories;
  readonly #faults: Generator<Fault, never>;
  readonly #password = randomToken(PASSWORD_LENGTH);
  readonly #clones: TakenClone[] = [];
  #clonesTaken = 0;
  #wasSlow = false;
  #starting: Promise<ServiceProcess> | null = null;
  #service: Service | null = null;
  #clusters: Clusters | null = null;
  #workload: Workload | null = null;
  #removal: Promise<void> | null = null;

  constructor(options: TortureOptions, checker: Checker) {
    this.#options = options;
    this.#checker = checker;
    this.#random = new SeededRandom(options.seed);
    this.#zones = new ZoneDirectories(options.zones);
    // Of its own: how much else is drawn depends on what is there.
    this.#faults = faultOrder(new SeededRandom(options.seed + 1), faultsFor(this.#zones));
  }

  async start(): Promise<void> {
    const {postgresBin, seed} = this.#options;
    const zones = this.#zones.all;
    this.#starting = ServiceProcess.create({engineRuntime: 'native', postgresBin, zones});
    await this.#connect();
    const clusters = required(this.#clusters);
    await clusters.create(LEDGER);
    await clusters.addWriter(LEDGER);
    await clusters.waitUntilAvailable(LEDGER);
    await clusters.query(LEDGER, createLedger);
    this.#workload = new Workload(await this.#address(LEDGER), seed, SESSIONS);
  }

  async rounds(): Promise<void> {
    const endMs = systemClock.monotonicMs() + this.#options.minutes * MINUTE_MS;
    const {rounds} = this.#options;
    for (let round = 1; round <= rounds && systemClock.monotonicMs() < endMs; round++) {
      await this.#round(round);
    }
  }

  /** The workload ends in order; every clone that still waits is checked, the source once more, then the store. */
  async finish(): Promise<void> {
    await required(this.#workload).stop();
    await this.#zonesAreWhole('at the end');
    while (this.#clones.length > 0) await this.#checkOldestClone();
    await this.#checkLedger('at the end');
    const {acknowledged, issued, failures} = required(this.#workload);
    this.#options.log(
      `${acknowledged.length} of ${issued} transfers acknowledged, ${this.#clonesTaken} clones, ${failures} connections lost or refused`,
    );
    await this.#checkStore();
    await this.remove();
  }

  /** Stops everything and removes it. Idempotent, and safe at any time. */
  remove(): Promise<void> {
    this.#removal ??= this.#remove();
    return this.#removal;
  }

  async #remove(): Promise<void> {
    // What waits for a zone could not end.
    this.#zones.close();
    const workloadStopped = this.#workload?.stop();
    await this.#disconnect();
    let left: LeftBehind | undefined;
    try {
      left = await (await this.#starting)?.remove();
      await workloadStopped;
    } finally {
      this.#zones.remove();
    }
    const found = left?.processes ?? [];
    const fault = found.length === 0 ? null : `processes are left: ${found.join('; ')}`;
    this.#checker.note('no process and no file is left', fault);
  }

  async #round(round: number): Promise<void> {
    const loadMs = LOAD_MS.least + this.#random.below(LOAD_MS.spread);
    await sleep(this.#wasSlow ? STABLE_MS : loadMs);
    const fault = this.#faults.next().value;
    if (fault.strikesZone) await this.#zonesAreWhole(`before round ${round}`);
    const clones = this.#random.below(100) < CLONE_PERCENT;
    const meanwhile = clones && this.#random.below(2) === 0;
    const cloning = clones ? this.#clone(meanwhile && fault.endsInstance) : Promise.resolve();
    if (meanwhile) await sleep(this.#random.below(150));
    else await cloning;
    const when = `round ${round}, ${fault.name}`;
    const tookMs = await this.#strike(fault, when, cloning);
    this.#wasSlow = fault.endsInstance && tookMs > SLOW_RECOVERY_MS;
    const clone = clones ? ` ${meanwhile ? 'while' : 'after'} a clone was made` : '';
    const outcome = fault.endsInstance ? `served again after ${tookMs.toFixed(0)} ms` : 'served on';
    this.#options.log(`round ${round}: ${fault.name}${clone}, ${outcome}`);
    await this.#checkLedger(when);
    this.#zones.mend();
    if (this.#clones.length >= CLONES_WAITING_MAX) await this.#checkOldestClone();
  }

  /** Returns how long it took until it served again. */
  async #strike(fault: Fault, when: string, cloning: Promise<void>): Promise<number> {
    const enginePort = await this.#enginePort();
    const {instance} = findProcesses(enginePort);
    const {failures} = required(this.#workload);
    const startMs = systemClock.monotonicMs();
    await fault.strike({
      ...{enginePort, random: this.#random, zones: this.#zones},
      restartService: () => this.#restartService(),
    });
    if (fault.endsInstance) await this.#instanceEnds(when, instance);
    await cloning;
    await this.#servesAgain(when);
    if (!fault.endsInstance) {
      const lost = required(this.#workload).failures - failures;
      this.#checker.note(`${when}: no connection is lost`, lost === 0 ? null : `${lost} were`);
    }
    return systemClock.monotonicMs() - startMs;
  }

  /** What a zone missed it has been given, and what rotted in it was put right. */
  async #zonesAreWhole(when: string): Promise<void> {
    if (this.#zones.all.length === 0) return;
    const service = required(this.#service);
    this.#checker.note(`${when}: every zone is healthy`, await zonesFault(service));
    this.#checker.note(`${when}: a scrub leaves nothing bad`, await scrubFault(service));
  }

  /** Whatever part was struck, the whole instance goes: no engine outlives it, nor it its engine. */
  async #instanceEnds(when: string, pid: number): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + END_LIMIT_MS;
    while (isRunning(pid) && systemClock.monotonicMs() < deadlineMs) await sleep(POLL_MS);
    const fault = `process ${pid} still runs after ${END_LIMIT_MS / 1000} s`;
    this.#checker.note(`${when}: its instance ends`, isRunning(pid) ? fault : null);
  }

  async #servesAgain(when: string): Promise<void> {
    const {acknowledged} = required(this.#workload);
    const before = acknowledged.length;
    const deadlineMs = systemClock.monotonicMs() + RECOVERY_LIMIT_MS;
    // One for each session may have been under way.
    while (acknowledged.length <= before + SESSIONS) {
      if (systemClock.monotonicMs() > deadlineMs) {
        throw new BorealisError(
          'unavailable',
          'torture-late',
          `${when}: no commit was acknowledged for ${RECOVERY_LIMIT_MS / 1000} s`,
        );
      }
      await sleep(POLL_MS);
    }
    this.#checker.note(`${when}: it serves again`, null);
  }

  async #checkLedger(when: string): Promise<void> {
    const workload = required(this.#workload);
    await this.#check(when, LEDGER, {
      before: () => [...workload.acknowledged],
      after: () => workload.issued,
    });
  }

  async #check(
    when: string,
    cluster: string,
    expect: {before(): readonly number[]; after(): number},
  ): Promise<void> {
    const client = openClient(await this.#address(cluster));
    await client.connect();
    try {
      await checkServer(this.#checker, when, client, this.#options.seed, expect);
    } finally {
      await client.end();
    }
  }

  /** A clone of the ledger, or of a clone that waits; a fault may come in between. */
  async #clone(mayFail: boolean): Promise<void> {
    const workload = required(this.#workload);
    const ofClone = this.#clones.length > 0 && this.#random.below(4) === 0;
    const source = ofClone ? this.#clones.at(-1) : undefined;
    const name = `clone-${++this.#clonesTaken}`;
    const acknowledged = source?.expectation.acknowledged ?? [...workload.acknowledged];
    const clusters = required(this.#clusters);
    try {
      await clusters.clone(source?.name ?? LEDGER, name);
    } catch (error) {
      if (!mayFail) this.#checker.note(`${name} is made`, errorChain(error));
      const isThere = await this.#isThere(name);
      this.#options.log(`${name}: ${errorChain(error)}; it is ${isThere ? '' : 'not '}there`);
      if (!isThere) return;
    }
    const issued = source?.expectation.issued ?? workload.issued;
    this.#clones.push({name, expectation: {acknowledged, issued}});
  }

  /** Whether a clone whose call failed was made all the same: whole, or not at all. */
  async #isThere(name: string): Promise<boolean> {
    const deadlineMs = systemClock.monotonicMs() + RECOVERY_LIMIT_MS;
    while (systemClock.monotonicMs() < deadlineMs) {
      await sleep(POLL_MS);
      try {
        const {clusters} = await required(this.#service).reports();
        const status = clusters.find(({identifier}) => identifier === name)?.status;
        if (status === undefined || status === 'available') return status !== undefined;
      } catch (error) {
        // The service is being started again.
        if (!(error instanceof BorealisError)) throw error;
      }
    }
    throw new BorealisError('unavailable', 'torture-late', `${name} does not settle`);
  }

  async #checkOldestClone(): Promise<void> {
    const clone = this.#clones.shift();
    if (clone === undefined) return;
    const {name, expectation} = clone;
    const clusters = required(this.#clusters);
    await clusters.addWriter(name);
    await clusters.waitUntilAvailable(name);
    await this.#check(name, name, {
      before: () => expectation.acknowledged,
      after: () => expectation.issued,
    });
    await clusters.delete(name);
    this.#options.log(`${name}: checked, ${expectation.acknowledged.length} transfers`);
  }

  /** Each zone by itself: every record, node and page of the store. */
  async #checkStore(): Promise<void> {
    await this.#disconnect();
    const process = await required(this.#starting);
    await process.stop();
    const directory = process.dataDirectory;
    const {findings} = await checkDataDirectory({
      ...{directory, zones: zonesOf(directory), repair: false},
    });
    const damage = findings
      .filter(({kind}) => kind === 'damage')
      .map(({zone, message}) => `${zone ?? 'store'}: ${message}`);
    const fault = damage.length === 0 ? null : damage.join('; ');
    this.#checker.note('at the end: every zone by itself is sound', fault);
  }

  async #disconnect(): Promise<void> {
    await this.#clusters?.close();
    this.#service?.close();
  }

  async #restartService(): Promise<void> {
    const process = await required(this.#starting);
    await process.kill();
    await this.#disconnect();
    if (this.#removal !== null) return;
    this.#starting = Promise.resolve(process.again());
    await this.#connect();
  }

  async #connect(): Promise<void> {
    const process = await required(this.#starting);
    this.#service = await process.ready();
    this.#clusters = new Clusters(this.#service, this.#password);
  }

  async #enginePort(): Promise<number> {
    const {instances} = await required(this.#service).report(LEDGER);
    return required(instances[0] ?? null).port;
  }

  async #address(cluster: string): Promise<Address> {
    const report = await required(this.#service).report(cluster);
    return {
      host: report.endpoint,
      port: report.port,
      user: report.masterUsername,
      password: this.#password,
      database: 'postgres',
    };
  }
}

function required<T>(value: T | null): T {
  if (value === null)
    throw new BorealisError('closed', 'torture-closed', 'the run is not under way');
  return value;
}
