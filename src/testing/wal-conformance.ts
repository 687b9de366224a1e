import { describe } from 'vitest'
import { acknowledging } from './wal/acknowledging.ts'
import { appending } from './wal/appending.ts'
import { walContext, type WalConformanceOptions, type WalFixture } from './wal/context.ts'
import { holding } from './wal/holding.ts'
import { pendingReads } from './wal/pending-reads.ts'
import { properties } from './wal/properties.ts'
import { quarantining } from './wal/quarantining.ts'
import { reopening } from './wal/reopening.ts'

export type { WalConformanceOptions, WalFixture }

/**
 * Declares the tests that every `WAL` must pass, with Vitest. Each test has a storage of its own.
 *
 * Not tested: what a crash or a failing disk leaves, and how fast anything is.
 */
export function walConformance(options: WalConformanceOptions): void {
  const context = walContext(options)
  describe(`${options.name}: write-ahead log`, () => {
    appending(context)
    pendingReads(context)
    acknowledging(context)
    holding(context)
    quarantining(context)
    reopening(context)
    properties(context)
  })
}
