/**
 * Random operations on a mounted volume and, in parallel, on a directory of the host's file system, in
 * the manner of fsx: reads, writes, memory maps, holes, renames. Between rounds the volume is cloned,
 * mounted again, or its process killed after a sync. Each clone has a copy of the model from the moment
 * it was taken; at the end it is mounted, compared, and worked on in its turn, and its source must not
 * have noticed.
 *
 *     volume 1 ──round──round──▶ … ── compared with model 1, last of all
 *              └─ clone 2 (model 2)     mounted and compared only at the end, then worked on
 *                   └─ clone 3          a clone of the clone
 */
import {execFileSync} from 'node:child_process';
import {cpSync, mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {Mounted} from '../src/attachment/fuse/testing/mounted.ts';
import {assert} from '../src/base/assert.ts';
import {errorMessage} from '../src/base/errors.ts';
import {SeededRandom} from '../src/base/testing/seeded-random.ts';
import type {Cleanup} from './cleanup.ts';
import type {Outcome, Subject} from './outcome.ts';

export type FsxOptions = {
  readonly operations: number;
  readonly seed: number;
  log(line: string): void;
};

const ROUND_OPERATIONS = 500;
/** Of all clones; each is mounted at the end. */
const CLONES_MAX = 24;
const PROGRAM = fileURLToPath(new URL('posix/fsx.py', import.meta.url));
const NAME = 'fsx';

export async function exercise(options: FsxOptions, cleanup: Cleanup): Promise<Subject> {
  const probe = await probeFuse();
  const missing = probe.available ? withoutPython() : `no FUSE mounts here: ${probe.reason ?? ''}`;
  if (missing !== null) {
    return {name: NAME, outcomes: [{name: 'fsx', outcome: 'skipped', reason: missing}]};
  }
  options.log(`fsx: ${options.operations} operations, --seed ${options.seed}`);
  const starting = Exerciser.start(options, probe.asRoot);
  const cancel = cleanup.add(async () => (await starting).remove());
  const exerciser = await starting;
  try {
    await exerciser.run();
    return {name: `${NAME} --seed ${options.seed}`, outcomes: exerciser.outcomes};
  } finally {
    cancel();
    await exerciser.remove();
  }
}

function withoutPython(): string | null {
  try {
    execFileSync('python3', ['--version'], {stdio: 'ignore'});
    return null;
  } catch {
    return 'there is no python3 here, whose library has the calls';
  }
}

class Exerciser {
  readonly outcomes: Outcome[] = [];
  readonly #options: FsxOptions;
  readonly #asRoot: boolean;
  readonly #random: SeededRandom;
  readonly #first: Mounted;
  #mounted: Mounted;
  #volume = 1;
  #lastVolume = 1;
  #rounds = 0;
  #removed = false;
  /** Volumes that were cloned and not looked at since. */
  readonly #clones: number[] = [];

  private constructor(options: FsxOptions, asRoot: boolean, mounted: Mounted) {
    this.#options = options;
    this.#asRoot = asRoot;
    this.#random = new SeededRandom(options.seed);
    this.#first = mounted;
    this.#mounted = mounted;
    mkdirSync(this.#model(1));
  }

  static async start(options: FsxOptions, asRoot: boolean): Promise<Exerciser> {
    return new Exerciser(options, asRoot, await Mounted.start({backing: 'volume', asRoot}));
  }

  async run(): Promise<void> {
    const rounds = Math.max(1, Math.ceil(this.#options.operations / ROUND_OPERATIONS));
    for (let round = 0; round < rounds; round++) {
      const rest = this.#options.operations - round * ROUND_OPERATIONS;
      // What follows a difference says nothing any more.
      if (!(await this.#round(Math.min(ROUND_OPERATIONS, rest)))) return;
      if (!(await this.#event())) return;
    }
    if (!(await this.#check('the volume is detached in order', () => this.#detach()))) return;
    for (const volume of this.#clones) {
      if (!(await this.#verifyClone(volume))) return;
    }
    await this.#verify('the first volume is as it was before its clones were written to', 1);
  }

  /** Ends whatever is mounted; removes everything. */
  async remove(): Promise<void> {
    this.#removed = true;
    await this.#mounted.kill();
    await this.#first.abandon();
  }

  #model(volume: number): string {
    return join(this.#first.base, `model-${volume}`);
  }

  #round(count: number): Promise<boolean> {
    const round = ++this.#rounds;
    const seed = `${this.#options.seed}-${round}`;
    return this.#check(
      `round ${round}: ${count} operations on volume ${this.#volume}`,
      async () => {
        await this.#program(`run . '${this.#model(this.#volume)}' ${seed} ${count}`);
      },
    );
  }

  /** What happens between two rounds. */
  #event(): Promise<boolean> {
    const dice = this.#random.below(100);
    if (dice < 40 && this.#clones.length < CLONES_MAX) {
      return this.#check(`clone ${this.#lastVolume + 1} of ${this.#volume}`, () => this.#clone());
    }
    if (dice < 55) {
      return this.#again('killed after a sync, the volume has everything', async () => {
        // syncfs(2) writes back and asks FUSE for no more: the fsync of a directory is the barrier.
        await this.#mounted.run('sync -f .; sync d');
        await this.#mounted.kill();
      });
    }
    if (dice < 70) {
      return this.#again('detached and mounted again, the volume has everything', () => {
        return this.#detach();
      });
    }
    return Promise.resolve(true);
  }

  /** What the kernel holds is not in the volume: a clone has what was written back. */
  async #clone(): Promise<void> {
    const child = ++this.#lastVolume;
    await this.#mounted.run('sync -f .');
    const {bytesCopied} = await this.#mounted.call<{bytesCopied: number}>('fork', {child});
    assert(bytesCopied === 0, 'a fork copies nothing');
    cpSync(this.#model(this.#volume), this.#model(child), {recursive: true});
    this.#clones.push(child);
  }

  async #verifyClone(volume: number): Promise<boolean> {
    await this.#mount(volume);
    if (!(await this.#compare(`clone ${volume} is as it was taken`))) return false;
    if (!(await this.#round(ROUND_OPERATIONS / 5))) return false;
    // The loop of `run` comes to the clone of the clone as well.
    if (this.#clones.length < CLONES_MAX && this.#random.below(3) === 0) {
      const name = `clone ${this.#lastVolume + 1} of ${volume}`;
      if (!(await this.#check(name, () => this.#clone()))) return false;
    }
    return this.#check(`clone ${volume} is detached in order`, () => this.#detach());
  }

  async #verify(name: string, volume: number): Promise<boolean> {
    await this.#mount(volume);
    return (await this.#compare(name)) && this.#check(name, () => this.#detach());
  }

  async #again(name: string, end: () => Promise<void>): Promise<boolean> {
    const ended = await this.#check(name, async () => {
      await end();
      await this.#mount(this.#volume);
    });
    return ended && this.#compare(name);
  }

  #compare(name: string): Promise<boolean> {
    return this.#check(name, () => this.#program(`compare . '${this.#model(this.#volume)}'`));
  }

  async #program(args: string): Promise<void> {
    await this.#mounted.run(`umask 022; python3 -B '${PROGRAM}' ${args}`);
  }

  async #mount(volume: number): Promise<void> {
    assert(!this.#removed, 'nothing is mounted any more once all is removed');
    this.#volume = volume;
    const {base} = this.#first;
    const again = {backing: 'volume', asRoot: this.#asRoot, base, volume, format: false} as const;
    this.#mounted = await Mounted.start(again);
  }

  async #detach(): Promise<void> {
    const status = await this.#mounted.close();
    assert(status === 0, `the mounting process ends with 0, not ${status}: ${this.#mounted.log}`);
  }

  async #check(name: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.outcomes.push({name, outcome: 'passed', reason: null});
      return true;
    } catch (error) {
      this.outcomes.push({name, outcome: 'failed', reason: errorMessage(error)});
      return false;
    }
  }
}
