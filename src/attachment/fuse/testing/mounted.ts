/** Starts `mount-main.ts` in namespaces of its own and speaks to it. */
import {spawn, type ChildProcessWithoutNullStreams} from 'node:child_process';
import {chownSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import type {VolumeNumber} from '../../../page-store/ids.ts';
import {entryPoint} from '../../../base/entry-point.ts';
import {fuseDevice} from '../mount.ts';
import {namespaceCommand} from '../namespace.ts';
import type {MountOptions} from './mount-main.ts';

export type Backing = 'memory' | 'volume';

export type MountedOptions = {
  readonly backing: Backing;
  readonly asRoot?: boolean;
  /** A store to use again; else a new one. */
  readonly base?: string;
  readonly volume?: number;
  readonly format?: boolean;
  /** Run the instance process as this user. */
  readonly uid?: number;
  readonly fuseDevice?: string;
  /** Directories below the base; else one, `store`. */
  readonly zones?: readonly string[];
};

/** `nobody`, who has an entry in every password file. */
const ENGINE_USER = {uid: 65_534, gid: 65_534};

export class Mounted {
  readonly process: ChildProcessWithoutNullStreams;
  /** Holds `mount` and `store`. */
  readonly base: string;
  readonly directory: string;
  readonly #messages: Record<string, unknown>[] = [];
  #notify: () => void = () => undefined;
  #ended = false;
  readonly exited: Promise<number | null>;
  #log = '';

  private constructor(options: MountedOptions) {
    const {backing, asRoot = true, uid} = options;
    this.base = options.base ?? mkdtempSync(join(tmpdir(), 'borealis-fuse-'));
    this.directory = join(this.base, 'mount');
    const zones = options.zones ?? ['store'];
    for (const name of ['mount', ...zones, '.']) {
      mkdirSync(join(this.base, name), {recursive: true});
      if (uid !== undefined) chownSync(join(this.base, name), uid, uid);
    }
    const config: MountOptions = {
      zones: zones.map(name => ({name, directory: join(this.base, name)})),
      volume: (options.volume ?? 1) as VolumeNumber,
      format: options.format ?? true,
      nodeCacheBytes: 64 * 2 ** 20,
      reserveBytes: 0,
      directory: this.directory,
      fuseDevice: options.fuseDevice ?? fuseDevice(),
      ownerMap: asRoot ? {engineUid: ENGINE_USER.uid, engineGid: ENGINE_USER.gid} : null,
      ...{asRoot, user: ENGINE_USER},
      servingWorker:
        backing === 'memory'
          ? entryPoint('attachment/fuse/testing/memory-worker')
          : entryPoint('attachment/fuse/serving-worker'),
    };
    const main = entryPoint('attachment/fuse/testing/mount-main');
    const argv = [process.execPath, main, JSON.stringify(config)];
    const [program = '', ...args] = namespaceCommand(argv, {asRoot});
    this.process = spawn(program, args, uid === undefined ? {} : {uid, gid: uid});
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    this.exited = new Promise(resolve => this.process.once('close', resolve));
    createInterface({input: this.process.stdout}).on('line', line => {
      this.#messages.push(JSON.parse(line) as Record<string, unknown>);
      this.#notify();
    });
    void this.exited.then(() => {
      this.#ended = true;
      this.#notify();
    });
  }

  static async start(options: MountedOptions): Promise<Mounted> {
    const mounted = new Mounted(options);
    try {
      await mounted.take('ready');
      return mounted;
    } catch (error) {
      await mounted.close();
      if (options.base === undefined) mounted.remove();
      throw error;
    }
  }

  /** What the process wrote to its standard error so far. */
  get log(): string {
    return this.#log;
  }

  /** The next message; fails unless it is `key`. */
  async take(key: string): Promise<unknown> {
    while (this.#messages.length === 0) {
      if (this.#ended) throw new Error(`the mounting process ended:\n${this.#log}`);
      await new Promise<void>(resolve => (this.#notify = resolve));
    }
    const message = this.#messages.shift() ?? {};
    if (!(key in message))
      throw new Error(`${JSON.stringify(message)} is no ${key}:\n${this.#log}`);
    return key === 'status' ? message : message[key];
  }

  send(command: unknown): void {
    this.process.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** Runs a bash script in the mounted directory; returns its output. */
  async run(script: string, unprivileged = false): Promise<string> {
    this.send({run: script, unprivileged});
    const {status, output} = (await this.take('status')) as {status: number; output: string};
    if (status !== 0) throw new Error(`status ${status} of: ${script}\n${output}${this.#log}`);
    return output;
  }

  async call<T>(call: string, parameters: object = {}): Promise<T> {
    this.send({call, ...parameters});
    return (await this.take('result')) as T;
  }

  /** Detaches in order; keeps the store. */
  async close(): Promise<number | null> {
    this.process.stdin.end();
    return this.exited;
  }

  /** Ends the process at once, and with it the mount; keeps the store. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.exited;
  }

  /** Ends what still runs and removes the store. */
  async abandon(): Promise<void> {
    await this.kill();
    rmSync(this.base, {recursive: true, force: true});
  }

  remove(): void {
    rmSync(this.base, {recursive: true});
  }
}
