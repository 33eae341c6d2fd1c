import {defineConfig, type ViteUserConfig} from 'vitest/config';
import EnginesFirst from './scripts/engines-first.ts';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['{src,conformance,simulation,torture,test}/**/*.test.ts'],
    globalSetup: ['./test/support/prepared-root.ts'],
    reporters: ['default', './scripts/totals-reporter.ts'],
    pool: 'forks',
    // To load the same modules for every file anew would take a tenth of the run.
    isolate: false,
    maxWorkers: 2,
    sequence: {sequencer: EnginesFirst},
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

export default config;
