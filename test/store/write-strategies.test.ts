import { writeStrategyConformance } from '../../src/testing/write-strategy-conformance.ts'

for (const write of ['idempotent', 'wal-first', 'dual-write'] as const) {
  writeStrategyConformance({ name: write, write })
}
