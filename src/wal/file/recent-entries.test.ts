import { expect, test } from 'vitest'
import { append, stampAt } from '../../testing/backend/operations.ts'
import type { WalEntry } from '../wal.ts'
import { RecentEntries } from './recent-entries.ts'

function entry(lsn: number, bytes = 0): WalEntry {
  return { lsn, operations: [append('k', stampAt(lsn), 'x'.repeat(bytes))] }
}

/** Which of the LSNs up to `last` it has. */
function lsnsOf(recent: RecentEntries, last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1).filter((lsn) => recent.get(lsn)?.lsn === lsn)
}

test('entries stay while others come and go behind them', () => {
  const recent = new RecentEntries(2 ** 20)
  recent.add(entry(1))
  for (let lsn = 2; lsn <= 1_000; lsn++) {
    recent.add(entry(lsn))
    if (lsn > 2) recent.remove(lsn - 1)
  }
  expect(lsnsOf(recent, 1_000)).toEqual([1, 1_000])
})

test('the oldest go when there are too many bytes', () => {
  const recent = new RecentEntries(20_000)
  for (let lsn = 1; lsn <= 500; lsn++) recent.add(entry(lsn, 1_000))
  const kept = lsnsOf(recent, 500)
  expect(kept.length).toBeGreaterThan(5)
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 501 - kept.length + i))
})

test('LSNs may leave gaps, however large', () => {
  const recent = new RecentEntries(2 ** 20)
  const far = 2 ** 40
  for (const lsn of [5, 9, 200, far, far + 3]) recent.add(entry(lsn))
  expect(recent.get(far)?.lsn).toBe(far)
  expect(recent.get(far + 3)?.lsn).toBe(far + 3)
  expect(recent.get(far + 1)).toBeUndefined()
  recent.remove(far)
  expect(recent.get(far)).toBeUndefined()
})

test('it can be emptied, and told to keep nothing', () => {
  const recent = new RecentEntries(2 ** 20)
  expect(recent.get(1)).toBeUndefined()
  for (let lsn = 1; lsn <= 100; lsn++) recent.add(entry(lsn))
  recent.erase(() => stampAt(50))
  expect(lsnsOf(recent, 100)).toEqual(Array.from({ length: 50 }, (_, i) => 51 + i))
  recent.clear()
  expect(lsnsOf(recent, 100)).toEqual([])
  recent.add(entry(101))
  expect(lsnsOf(recent, 101)).toEqual([101])
  const none = new RecentEntries(0)
  none.add(entry(1))
  expect(none.get(1)).toBeUndefined()
})
