/** Vitest's global set-up: a directory for what the tests of one run share (src/base/testing/prepared.ts). */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {TestProject} from 'vitest/node';

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
