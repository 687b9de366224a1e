import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { simulateProgram } from '../../simulator/programs/simulated-stage.ts'
import { describeResult } from '../../simulator/describe-result.ts'
import { runSeed, type SimulationResult } from '../../simulator/run-seed.ts'
import type { SimulationSettings } from '../../simulator/settings.ts'
import { shrinkSeed } from '../../simulator/shrink.ts'

// More seeds, one seed step by step, and failing seeds made short: `npm run simulate`.
const SEEDS = 90
const SEEDS_WITH_LOST_DISK = 32
const SEEDS_WITH_LOST_LOG = 20

/** Runs seeds one after another and returns what they violated. */
async function violationsOf(
  from: number,
  count: number,
  settings: Partial<SimulationSettings> = {},
): Promise<readonly string[]> {
  const bad: string[] = []
  for (let seed = from; seed < from + count; seed++) {
    const result = await runSeed(seed, settings)
    if (result.violations.length > 0) bad.push(describeResult(result))
  }
  return bad
}

describe('the store in simulation', () => {
  test('keeps its promises under every fault', async () => {
    expect(await violationsOf(1, SEEDS)).toEqual([])
  }, 600_000)

  test('loses nothing that two places have when a database loses its disk', async () => {
    const faults = ['wipe-primary', 'wipe-backup', 'kill', 'restart', 'drop', 'slow'] as const
    expect(await violationsOf(1, SEEDS_WITH_LOST_DISK, { faults })).toEqual([])
  }, 600_000)

  test('loses nothing that two places have when the server of a shared log loses its disk', async () => {
    const given: Partial<SimulationSettings> = {
      wal: 'redis-stream',
      faults: ['wipe-log', 'wal-out', 'primary-down', 'backup-down', 'kill', 'restart'],
    }
    expect(await violationsOf(1, SEEDS_WITH_LOST_LOG, given)).toEqual([])
  }, 600_000)

  test('the same seed makes the same history', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const [first, second] = [await runSeed(seed), await runSeed(seed)]
      expect(hashOf(second)).toBe(hashOf(first))
    }
  })

  test('steps that are left out leave the others what they were', async () => {
    const { steps } = await runSeed(1)
    const kept = steps.filter((_, i) => i % 3 === 0)
    const keep = new Map(kept.map(({ id, atMs }) => [id, atMs]))
    const narrowed = await runSeed(1, {}, { keep })
    const texts = new Map(kept.map(({ id, text }) => [id, text]))
    expect(narrowed.steps.length).toBeGreaterThan(0)
    for (const { id, text } of narrowed.steps) expect(texts.get(id)).toBe(text)
  })

  test('a program comes to an end although its process is killed in any step', async () => {
    const save = [{ content: 'said m1', id: 'z' }]
    for (let afterMs = 0; afterMs < 8; afterMs++) {
      const { violations } = await simulateProgram({
        seed: 379,
        processes: 3,
        store: { write: 'wal-first', read: 'failover', health: 'simple' },
        rounds: [
          [{ act: 'save', process: 1, conversation: 'a', messages: save }],
          [
            { act: 'flush', process: 1 },
            { act: 'kill', process: 1, afterMs },
          ],
        ],
      })
      expect(violations).toEqual([])
    }
  })

  // The canary: were a violation never found, all of the above would prove nothing.
  test('finds that a log which lies about syncs loses messages, and shrinks it to a few steps', async () => {
    const given: Partial<SimulationSettings> = {
      canary: 'lying-log',
      wal: 'simulated',
      write: 'wal-first',
      faults: ['power-cut', 'primary-down', 'backup-down'],
      deaths: 0,
      pauses: 0,
    }
    // A clear that such a log loses brings messages back, and then that may be what is left.
    const losesOnly = ({ violations }: SimulationResult): boolean =>
      violations.length > 0 && violations.every(({ kind }) => kind === 'lost')
    let seed = 1
    while (!losesOnly(await runSeed(seed, given))) seed++
    const plan = (await shrinkSeed(seed, given))!
    expect(plan.result.violations.map(({ kind }) => kind)).toContain('lost')
    expect(plan.keep.size).toBeLessThanOrEqual(10)
    const again = await runSeed(seed, plan.given, { keep: plan.keep, luck: plan.luck })
    expect(hashOf(again)).toBe(hashOf(plan.result))
  }, 600_000)
})

function hashOf({ history, events }: SimulationResult): string {
  return createHash('sha256')
    .update(JSON.stringify([history, events]))
    .digest('hex')
}
