// Goal: no single operation of the disk or of a database may fail, in whatever way, without every
// promise being kept.
// Method: one scenario is run again and again; the 1st, 2nd, … operation of one kind fails in one way,
// or the process is killed at one failpoint, until a run passes untouched. Another life of the process
// then reads and compares everything.
import { describe, expect, test } from 'vitest'
import { runScenario, WAYS, type Way } from './support/every-operation.ts'

/** Saves, edit, removal, clear and group: what a run acknowledges in which nothing fails. */
const ACKNOWLEDGED = 18
/** No scenario is longer; a loop that goes on has been missed by its fault. */
const OPERATIONS_MAX = 5_000

function nameOf(way: Way): string {
  switch (way.kind) {
    case 'disk':
      return `${way.operation} of the log's disk fails with ${way.code}`
    case 'power':
      return 'operation of the disk is the last before the power goes'
    case 'kill':
      return `time the process comes by ${way.point} it is killed`
    case 'call':
      return `call of the ${way.place} ${way.fault}`
  }
}

describe.each(['idempotent', 'wal-first', 'dual-write'] as const)('%s, one fault', (write) => {
  test.each(WAYS.map((way) => [nameOf(way), way] as const))(
    'keeps every promise when the 1st, 2nd, … %s',
    async (_name, way) => {
      let runs = 0
      for (; runs < OPERATIONS_MAX; runs++) {
        const { isStruck, violations, acknowledged } = await runScenario(write, way, runs)
        const shown = violations.map(({ kind, text }) => `${kind}: ${text}`)
        expect(shown, `operation ${runs + 1}`).toEqual([])
        if (isStruck) continue
        expect(acknowledged).toBe(way.kind === 'kill' ? ACKNOWLEDGED + 1 : ACKNOWLEDGED)
        break
      }
      expect(runs).toBeGreaterThan(0)
      expect(runs).toBeLessThan(OPERATIONS_MAX)
    },
    600_000,
  )
})
