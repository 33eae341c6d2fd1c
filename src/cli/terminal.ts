/**
 * Where a command writes: results go to stdout, progress and remarks to stderr, so that
 * `URL=$(borealis clone a b)` and `borealis list --json | jq` get the result alone.
 *
 * Progress is a spinner on a terminal and plain lines elsewhere. NO_COLOR is honoured.
 */
import picocolors from 'picocolors';
import {systemClock} from '../base/clock.ts';
import type {StepReport} from '../instance/messages.ts';
import {formatDuration} from './format/quantity.ts';

export type Colors = ReturnType<typeof picocolors.createColors>;

export type Progress = {
  /** What is being done now. Plain output says it once for each new text. */
  update(text: string): void;
  /** Takes the spinner away and leaves a line that says how it went. */
  succeed(text: string): void;
  fail(text: string): void;
};

/** How often plain output says a changed text of the same step at most. */
const PLAIN_UPDATE_PERIOD_MS = 2000;

export class Terminal {
  readonly json: boolean;
  /** Of stdout. */
  readonly colors: Colors = colorsOf(process.stdout);
  readonly #steps: StepReport[] = [];

  constructor(options: {json: boolean}) {
    this.json = options.json;
  }

  /** The steps that `step` has run, with their durations. */
  get steps(): readonly StepReport[] {
    return this.#steps;
  }

  print(text: string): void {
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  printJson(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** The result in the form that was asked for. */
  result(value: unknown, text: () => string): void {
    if (this.json) this.printJson(value);
    else this.print(text());
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Runs `work` as a step with a name, shows that it runs and how long it took. */
  async step<T>(name: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    const progress = await startProgress(name);
    const startedMs = systemClock.monotonicMs();
    const elapsedMs = (): number => systemClock.monotonicMs() - startedMs;
    try {
      const value = await work(progress);
      const durationMs = elapsedMs();
      this.#steps.push({name, durationMs});
      progress.succeed(`${name}  ${colorsOf(process.stderr).dim(formatDuration(durationMs))}`);
      return value;
    } catch (error) {
      progress.fail(`${name}  failed after ${formatDuration(elapsedMs())}`);
      throw error;
    }
  }
}

export function colorsOf(stream: NodeJS.WriteStream): Colors {
  const refused = (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb';
  // `isTTY` is undefined on a pipe, which picocolors would take for "decide by the environment".
  const plain = refused || !stream.isTTY;
  return picocolors.createColors(!plain);
}

async function startProgress(text: string): Promise<Progress> {
  const colors = colorsOf(process.stderr);
  // A terminal that has no size yet (0 columns) would be redrawn for ever.
  const canRedraw = process.stderr.isTTY && process.stderr.columns > 0;
  return canRedraw ? spinner(text, colors) : plainLines(text);
}

async function spinner(text: string, colors: Colors): Promise<Progress> {
  // Loaded here alone: scripts have no terminal to draw on.
  const {default: ora} = await import('ora');
  const color = colors.isColorSupported ? 'cyan' : false;
  const shown = ora({text, color, discardStdin: false, stream: process.stderr}).start();
  return {
    update: now => {
      shown.text = now;
    },
    succeed: done => {
      shown.stopAndPersist({symbol: colors.green('✔'), text: done});
    },
    fail: why => {
      shown.stopAndPersist({symbol: colors.red('✖'), text: why});
    },
  };
}

function plainLines(text: string): Progress {
  let shown = text;
  let shownMs = systemClock.monotonicMs();
  return {
    update: now => {
      const nowMs = systemClock.monotonicMs();
      if (now === shown || nowMs - shownMs < PLAIN_UPDATE_PERIOD_MS) return;
      shown = now;
      shownMs = nowMs;
      writeLine(`… ${now}`);
    },
    succeed: done => writeLine(`✔ ${done}`),
    fail: why => writeLine(`✖ ${why}`),
  };
}

function writeLine(words: string): void {
  process.stderr.write(`${words}\n`);
}
