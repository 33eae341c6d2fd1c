/**
 * The service of the demo: `borealis up` as a process of its own, as a person would start it, with
 * its data in a temporary directory and on a free port.
 *
 * The child carries a token in its environment, which every process below it inherits, so that at
 * the end the demo can look whether one of them is left. An IPC channel ends the service should the
 * demo be killed.
 */
import {spawn, type ChildProcess} from 'node:child_process';
import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {Readable} from 'node:stream';
import {sleep, withDeadline} from '../base/clock.ts';
import {entryPoint} from '../base/entry-point.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {randomToken} from '../base/random.ts';
import type {PgliteRemarks} from '../cli/commands/up.ts';
import {openService, type Service} from '../cli/service.ts';
import type {ZoneOption} from '../cluster/zone-list.ts';

const TOKEN_VARIABLE = 'BOREALIS_DEMO_TOKEN';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
/** An error is a line or a few, with the end of an engine's log perhaps. */
const LINES_KEPT_MAX = 40;

export type EngineChoice = {
  readonly engineRuntime: string | undefined;
  readonly postgresBin: string | undefined;
  /** Without any it has one, below its data directory. */
  readonly zones?: readonly ZoneOption[];
};

export type LeftBehind = {
  /** The service ended when it was asked to, and did not have to be killed. */
  readonly stopped: boolean;
  /** Command lines of processes that should be gone; null where there is no /proc to look in. */
  readonly processes: readonly string[] | null;
};

export class ServiceProcess {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #choice: EngineChoice;
  readonly #token: string;
  readonly #exited: Promise<number | null>;
  #remarks: readonly string[] = [];
  /** What it said of its own progress, kept for the case that it ends. */
  readonly #said: string[] = [];

  private constructor(directory: string, choice: EngineChoice, token: string) {
    this.directory = directory;
    this.#choice = choice;
    this.#token = token;
    const args = [
      'up',
      '--json',
      '--data',
      this.dataDirectory,
      '--port',
      '0',
      ...(choice.engineRuntime === undefined ? [] : ['--engine-runtime', choice.engineRuntime]),
      ...(choice.postgresBin === undefined ? [] : ['--postgres-bin', choice.postgresBin]),
      ...(choice.zones ?? []).flatMap(zone => ['--zone', `${zone.letter}=${zone.directory}`]),
    ];
    this.#child = spawn(process.execPath, [entryPoint('cli/main'), ...args], {
      env: {...process.env, [TOKEN_VARIABLE]: this.#token},
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own: a Ctrl-C is ours, and we stop it in order.
      detached: true,
    });
    const said = createInterface({input: this.#child.stderr ?? Readable.from([])});
    said.on('line', line => this.#hear(line));
    this.#exited = new Promise(resolve => {
      this.#child.once('exit', code => resolve(code));
      this.#child.once('error', () => resolve(null));
    });
  }

  static async create(choice: EngineChoice): Promise<ServiceProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'borealis-demo-'));
    return new ServiceProcess(directory, choice, randomToken(20));
  }

  /** `kill -9`; what it had started ends by itself. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  get dataDirectory(): string {
    return join(this.directory, 'data');
  }

  /** Once this one has ended: another on the same data. */
  again(): ServiceProcess {
    return new ServiceProcess(this.directory, this.#choice, this.#token);
  }

  /** Once it is ready: what to know of the engine, where it is not the native one. */
  get remarks(): readonly string[] {
    return this.#remarks;
  }

  /** Waits until it takes calls. */
  async ready(): Promise<Service> {
    const announced = new Promise<void>((resolve, reject) => {
      let printed = '';
      // The one JSON document of `up --json` is that it is ready, or why it cannot be.
      this.#child.stdout?.on('data', chunk => {
        printed += String(chunk);
        if (!printed.includes('"url"') || !printed.endsWith('\n}\n')) return;
        this.#remarks = remarksOf(printed);
        resolve();
      });
      void this.#exited.then(code => reject(this.#endedEarly(code)));
    });
    await withDeadline(
      announced,
      START_TIMEOUT_MS,
      () =>
        new BorealisError(
          'unavailable',
          'demo-service-late',
          `\`borealis up\` was not ready within ${START_TIMEOUT_MS / 1000} s`,
        ),
    );
    return openService(this.dataDirectory);
  }

  /** Warnings of its log, JSON lines, are for whoever watches; its progress is ours to tell. */
  #hear(line: string): void {
    if (line.startsWith('{')) process.stderr.write(`${line}\n`);
    else if (this.#said.push(line) > LINES_KEPT_MAX) this.#said.shift();
  }

  #endedEarly(code: number | null): BorealisError {
    return new BorealisError(
      'unavailable',
      'demo-service-ended',
      `\`borealis up\` ended with status ${code ?? 'none'} before it was ready: ${this.#said.join('\n')}`,
    );
  }

  /** Stops the service, removes the directory, and looks what is left. Safe to call at any time. */
  async remove(): Promise<LeftBehind> {
    const stopped = await this.stop();
    await rm(this.directory, {recursive: true, force: true, maxRetries: 5, retryDelay: 200});
    return {stopped, processes: await processesWith(this.#token)};
  }

  /** False when it had to be killed. */
  async stop(): Promise<boolean> {
    this.#child.kill('SIGTERM');
    const stopped = await Promise.race([
      this.#exited.then(() => true),
      sleep(STOP_TIMEOUT_MS).then(() => false),
    ]);
    if (!stopped) {
      this.#child.kill('SIGKILL');
      await this.#exited;
    }
    return stopped;
  }
}

/** Of the document that `up --json` prints. */
function remarksOf(printed: string): string[] {
  const {pglite}: {pglite: PgliteRemarks | null} = JSON.parse(printed);
  if (pglite === null) return [];
  const {limits, fallbackReason} = pglite;
  return fallbackReason === null ? [limits] : [`Not native: ${fallbackReason}`, limits];
}

async function processesWith(token: string): Promise<string[] | null> {
  if (process.platform !== 'linux') return null;
  const needle = `${TOKEN_VARIABLE}=${token}`;
  const found: string[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readProcFile(name, 'environ');
    if (!environment.split('\0').includes(needle)) continue;
    const commandLine = await readProcFile(name, 'cmdline');
    found.push(`${name}: ${commandLine.replaceAll('\0', ' ').trim()}`);
  }
  return found;
}

/** Empty for a process that went meanwhile, and for one of another user. */
async function readProcFile(pid: string, file: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return '';
  }
}
