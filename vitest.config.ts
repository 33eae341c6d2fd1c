import {defineConfig, type ViteUserConfig} from 'vitest/config';
import EnginesFirst from './scripts/engines-first.ts';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['{src,conformance,simulation,torture,test}/**/*.test.ts'],
    globalSetup: ['./test/support/prepared-root.ts'],
    reporters: ['default', './scripts/totals-reporter.ts'],
    pool: 'forks',
    // The same modules need not be loaded anew for every file.
    isolate: false,
    maxWorkers: 2,
    sequence: {sequencer: EnginesFirst},
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

export default config;
