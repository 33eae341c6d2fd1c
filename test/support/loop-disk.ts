/** A small disk of its own: a file with ext4 on it, mounted. It can be filled, and made to hang. */
import {execFileSync} from 'node:child_process';
import {mkdirSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

export class LoopDisk {
  readonly directory: string;
  readonly #image: string;
  #isFrozen = false;

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
    execFileSync('fsfreeze', ['--freeze', this.directory]);
    this.#isFrozen = true;
  }

  thaw(): void {
    if (!this.#isFrozen) return;
    execFileSync('fsfreeze', ['--unfreeze', this.directory]);
    this.#isFrozen = false;
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
