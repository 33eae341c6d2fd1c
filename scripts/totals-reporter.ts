/** Prints one last line for scripts that read a run: `12 passed, 0 failed, 3 skipped`. */
import type {Reporter, TestModule} from 'vitest/node';

export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = {passed: 0, failed: 0, skipped: 0};
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const {state} = test.result();
        if (state !== 'pending') counts[state]++;
      }
      // A file that does not load has no tests to count.
      if (module.state() === 'failed' && module.children.size === 0) counts.failed++;
    }
    const {passed, failed, skipped} = counts;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
}
