/**
 * What is slow to make and the same for all who begin with a copy of it, made once in a run of the tests, by
 * the first that asks.
 *
 *     ROOT/NAME/          what was made
 *     ROOT/NAME.whole     it is all there
 *     ROOT/NAME.lock.N    taken by the process that makes it; others wait
 *
 * The root is the run's own, and gone after it (test/support/prepared-root.ts).
 */
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {inject} from 'vitest';
import {sleep} from '../clock.ts';
import {acquireProcessLock} from '../process-lock.ts';

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- only an interface can be added to
  interface ProvidedContext {
    preparedRoot: string;
  }
}

const LOOK_EVERY_MS = 50;

/** The directory `name`, which nobody changes; `make` fills it when it is not there. */
export async function prepared(
  name: string,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const root = inject('preparedRoot');
  const directory = join(root, name);
  const whole = `${directory}.whole`;
  while (!existsSync(whole)) {
    const lock = acquireProcessLock(root, `${name}.lock`);
    if ('heldBy' in lock) {
      await sleep(LOOK_EVERY_MS);
      continue;
    }
    try {
      if (existsSync(whole)) break;
      // Whoever began it did not end it.
      rmSync(directory, {recursive: true, force: true});
      mkdirSync(directory, {mode: 0o700});
      await make(directory);
      writeFileSync(whole, '');
    } finally {
      lock.release();
    }
  }
  return directory;
}

/** With holes as they are. The target may be there, empty, and a mount. */
export function copyTree(from: string, to: string): void {
  mkdirSync(to, {recursive: true, mode: 0o700});
  execFileSync('cp', ['-a', `${from}/.`, to]);
}
