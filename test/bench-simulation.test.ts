// Goal: the simulation of many nodes says what its model says. Method: cases whose answer follows from
// the times by hand.
import { expect, test } from 'vitest'
import { boundOf, simulate, type ServiceTimes } from '../bench/support/cluster-simulation.ts'
import { EventQueue } from '../bench/support/event-queue.ts'
import { seededRandom } from '../src/testing/virtual-env.ts'

const TIMES: ServiceTimes = {
  saveCpuMs: 0.1,
  logSyncMs: 1,
  roundTripMs: 1,
  batchMs: 0.2,
  rowMs: 0.02,
  databaseSyncMs: 1,
}
const ONE = { nodes: 1, primaries: 1, coresOfPrimary: 4, clientsOfNode: 1 }

function run(cluster: Partial<typeof ONE>, times: Partial<ServiceTimes> = {}) {
  return simulate({ ...ONE, ...cluster }, { ...TIMES, ...times }, seededRandom(1))
}

test('a lone save takes the way to the primary, the longer of its two', () => {
  const { p50Ms, savesPerSecond } = run({})
  // 0.1 CPU + 1 round trip + 0.22 batch + 1 sync, while the log syncs beside it.
  expect(p50Ms).toBeGreaterThan(2.1)
  expect(p50Ms).toBeLessThan(2.6)
  expect(savesPerSecond).toBeGreaterThan(1000 / 2.6)
})

test('with many at a time a node gives what its CPU gives', () => {
  const found = run({ clientsOfNode: 500 })
  expect(found.savesPerSecond).toBeGreaterThan(9_500)
  expect(found.savesPerSecond).toBeLessThan(10_500)
  expect(boundOf(found)).toMatch(/^node CPU \((?:9\d|100) %\)$/)
})

test('with many nodes a primary gives what its CPU gives, and two give twice that', () => {
  const one = run({ nodes: 30, clientsOfNode: 64, coresOfPrimary: 1 })
  const two = run({ nodes: 30, primaries: 2, clientsOfNode: 64, coresOfPrimary: 1 })
  // At most 0.02 ms a message.
  expect(one.savesPerSecond).toBeLessThan(51_000)
  expect(boundOf(one)).toMatch(/^primary CPU/)
  expect(two.savesPerSecond / one.savesPerSecond).toBeGreaterThan(1.8)
  expect(two.savesPerSecond / one.savesPerSecond).toBeLessThan(2.2)
})

test('while saves wait for syncs, twice as many at a time give about twice as much', () => {
  const few = run({ clientsOfNode: 8 }, { logSyncMs: 20 })
  const more = run({ clientsOfNode: 16 }, { logSyncMs: 20 })
  expect(boundOf(few)).toMatch(/^the node disk; node CPU \d+ %/)
  expect(more.savesPerSecond / few.savesPerSecond).toBeGreaterThan(1.7)
})

test('the same seed gives the same figures', () => {
  expect(run({ nodes: 5, clientsOfNode: 16 })).toEqual(run({ nodes: 5, clientsOfNode: 16 }))
})

test('events run by time, and in the order they were made at the same time', () => {
  const queue = new EventQueue()
  const seen: string[] = []
  const note = (name: string) => () => seen.push(`${queue.now} ${name}`)
  queue.after(2, note('c'))
  queue.after(1, note('a'))
  queue.after(1, note('b'))
  queue.after(0, () => queue.after(3, note('d')))
  queue.after(9, note('too late'))
  queue.runUntil(5)
  expect(seen).toEqual(['1 a', '1 b', '2 c', '3 d'])
  expect(queue.now).toBe(5)
})
