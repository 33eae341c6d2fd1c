import {defineConfig, type ViteUserConfig} from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['{src,conformance,simulation,torture,test}/**/*.test.ts'],
    globalSetup: ['./test/support/prepared-root.ts'],
    reporters: ['default', './scripts/totals-reporter.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

export default config;
