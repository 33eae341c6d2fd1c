/** Vitest's global set-up: a directory for what tests of one run share (prepared-data.ts), gone when the run has ended. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {TestProject} from 'vitest/node';

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- only an interface can be added to
  interface ProvidedContext {
    preparedRoot: string;
  }
}

export default function setUp(project: TestProject): () => void {
  const root = mkdtempSync(join(tmpdir(), 'borealis-prepared-'));
  project.provide('preparedRoot', root);
  const remove = (): void => rmSync(root, {recursive: true, force: true});
  // A run that is ended from outside tears nothing down.
  process.once('exit', remove);
  return () => {
    process.off('exit', remove);
    remove();
  };
}
