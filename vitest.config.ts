import { defineConfig } from 'vitest/config'

/**
 * Kills, outages, random programs, whole command lines and the suites of every server: two thirds of the
 * time, and seldom what a change breaks first. `npm run test:long` runs them, `npm test` all others.
 */
const LONG = [
  'test/fault/**/*.test.ts',
  'test/programs/**/*.test.ts',
  'test/runbooks/**/*.test.ts',
  'test/simulation/**/*.test.ts',
  'test/store/erase.test.ts',
  'test/integration/*-conformance.test.ts',
  'test/integration/*-lost-*.test.ts',
  'test/integration/*-outage.test.ts',
  'test/integration/cli*.test.ts',
  'test/integration/examples.test.ts',
  'test/integration/postgres-indexes.test.ts',
  'test/integration/reconcile-pairs.test.ts',
  'test/integration/s3-*.test.ts',
  'test/package/typescript.test.ts',
]
const ALL = ['src/**/*.test.ts', 'simulator/**/*.test.ts', 'test/**/*.test.ts']
const part = process.env['TESTS']

export default defineConfig({
  test: {
    include: part === 'long' ? LONG : ALL,
    exclude: part === 'short' ? ['**/node_modules/**', ...LONG] : ['**/node_modules/**'],
    // Fault tests start servers of their own: files in parallel, bounded by the cores.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    // A limit for what never comes, no measure of speed: the machine may have other work.
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 120_000,
    setupFiles: ['test/support/keep-sqlite-locks.ts'],
    globalSetup: ['test/support/global-setup.ts'],
  },
})
