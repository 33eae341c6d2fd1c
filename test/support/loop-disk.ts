/** A small disk of its own: a file with ext4 on it, mounted. It can be filled, and made to hang. */
import {execFileSync, spawn, type ChildProcess} from 'node:child_process';
import {mkdirSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

/** A disk that stayed frozen would hold whoever wrote to it for ever, and could not be unmounted. */
const FREEZE_S_MAX = 180;

export class LoopDisk {
  readonly directory: string;
  readonly #image: string;
  /** Thaws it when the test does not live to. */
  #thawing: ChildProcess | null = null;

  constructor(directory: string, sizeBytes: number) {
    this.directory = directory;
    this.#image = `${directory}.img`;
    writeFileSync(this.#image, '');
    truncateSync(this.#image, sizeBytes);
    mkdirSync(directory);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', this.#image]);
    execFileSync('mount', ['-o', 'loop', this.#image, directory]);
  }

  /** Whoever writes hangs, in the kernel, until `thaw`. */
  freeze(): void {
    const script = `sleep ${FREEZE_S_MAX}; exec fsfreeze --unfreeze "$0"`;
    this.#thawing = spawn('sh', ['-c', script, this.directory], {stdio: 'ignore', detached: true});
    this.#thawing.unref();
    execFileSync('fsfreeze', ['--freeze', this.directory]);
  }

  thaw(): void {
    if (this.#thawing === null) return;
    execFileSync('fsfreeze', ['--unfreeze', this.directory]);
    // With its sleep.
    if (this.#thawing.pid !== undefined) process.kill(-this.#thawing.pid);
    this.#thawing = null;
  }

  fill(): void {
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${this.#filler}`, 'bs=1M'], {stdio: 'ignore'});
    } catch {
      // It ends when the disk is full.
    }
  }

  empty(): void {
    rmSync(this.#filler, {force: true});
  }

  remove(): void {
    this.thaw();
    execFileSync('umount', ['-l', this.directory]);
    rmSync(this.#image);
  }

  get #filler(): string {
    return join(this.directory, 'filler');
  }
}

/** Whether this machine lets us: root, with loop devices. */
export function canMountLoops(): boolean {
  try {
    execFileSync('losetup', ['--find'], {stdio: 'ignore'});
    execFileSync('fsfreeze', ['--version'], {stdio: 'ignore'});
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}
