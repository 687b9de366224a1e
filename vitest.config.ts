import { defineConfig } from 'vitest/config'

/**
 * Kills, outages, random programs, whole command lines and the suites of every server: two thirds of the
 * time, and seldom what a change breaks first. `npm run test:long` runs them, `npm test` all others.
 */
const LONG = [
  'test/bundles/bundlers.test.ts',
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
/** With packages that are too heavy to be dependencies, installed from npm: `npm run test:bundles`. */
const BUNDLES = [
  'test/adapters/heavy-*.test.ts',
  'test/bundles/next.test.ts',
  'test/bundles/typescript.test.ts',
]
const ALL = ['src/**/*.test.ts', 'simulator/**/*.test.ts', 'test/**/*.test.ts']
const NONE = ['**/node_modules/**']
const PARTS: Readonly<Record<string, { include: string[]; exclude: string[] }>> = {
  all: { include: ALL, exclude: [...NONE, ...BUNDLES] },
  short: { include: ALL, exclude: [...NONE, ...BUNDLES, ...LONG] },
  long: { include: LONG, exclude: NONE },
  bundles: { include: BUNDLES, exclude: NONE },
}

export default defineConfig({
  test: {
    ...PARTS[process.env['TESTS'] ?? 'all'],
    // Fault tests start servers of their own, which need the cores; the others wait a third of their time.
    pool: 'forks',
    maxWorkers: process.env['TESTS'] === 'short' ? 3 : 2,
    testTimeout: 60_000,
    // A limit for what never comes, no measure of speed: the machine may have other work.
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 120_000,
    setupFiles: ['test/support/keep-sqlite-locks.ts'],
    globalSetup: ['test/support/global-setup.ts'],
  },
})
