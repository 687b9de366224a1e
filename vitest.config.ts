import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'simulator/**/*.test.ts', 'test/**/*.test.ts'],
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
