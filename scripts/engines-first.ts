/**
 * The order of test files: those that start engines or programs first, since each takes minutes. A short one
 * is last, so no worker goes on long after the other has nothing left to do.
 */
import {BaseSequencer, type TestSpecification} from 'vitest/node';

const LONG =
  /\.(?:engine|fuse)\.test\.ts$|\/(?:cluster\/crash|conformance|torture|simulation)\.test\.ts$/;

export default class EnginesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const [long, short]: [TestSpecification[], TestSpecification[]] = [[], []];
    for (const file of sorted) (LONG.test(file.moduleId) ? long : short).push(file);
    return [...long, ...short];
  }
}
