import { expect, test } from 'vitest'
import { append, stampAt } from '../backend/operations.ts'
import { pendingKeys, readLsns, type WalContext } from './context.ts'

export function acknowledging({ setup }: WalContext): void {
  test('an acknowledged entry is gone for that place at once, and for no other', async () => {
    const wal = await setup()
    const lsn = await wal.append([append('k', stampAt(0), 0)])
    wal.acknowledge('primary', [lsn])
    expect(wal.hasPending('primary', 'k')).toBe(false)
    expect(wal.hasPending('backup', 'k')).toBe(true)
    expect(await readLsns(wal, 'primary')).toEqual([])
    expect(await readLsns(wal, 'backup')).toEqual([lsn])
  })

  test('acknowledging twice, out of order, and what never was, does no harm', async () => {
    const wal = await setup()
    for (let i = 0; i < 5; i++) await wal.append([append('k', stampAt(i), i)])
    wal.acknowledge('primary', [4, 2, 4, 99, 0])
    wal.acknowledge('primary', [4])
    expect(await readLsns(wal, 'primary')).toEqual([1, 3, 5])
    wal.acknowledge('primary', [5, 1, 3])
    expect(await readLsns(wal, 'primary')).toEqual([])
    expect(wal.stats().places.primary.pendingEntries).toBe(0)
    expect(wal.stats().places.backup.pendingEntries).toBe(5)
  })

  test('the cursor follows what is acknowledged without a gap', async () => {
    const wal = await setup()
    for (let i = 0; i < 6; i++) await wal.append([append('k', stampAt(i), i)])
    const cursor = (): number => wal.stats().places.backup.cursor
    expect(cursor()).toBe(0)
    wal.acknowledge('backup', [2, 3])
    expect(cursor()).toBe(0)
    wal.acknowledge('backup', [1])
    expect(cursor()).toBe(3)
    wal.acknowledge('backup', [6])
    expect(cursor()).toBe(3)
    wal.acknowledge('backup', [4, 5])
    expect(cursor()).toBe(6)
    expect(wal.stats().places.primary.cursor).toBe(0)
  })

  test('resend makes every entry that is kept pending again at that place', async () => {
    const wal = await setup()
    for (let i = 0; i < 6; i++) await wal.append([append(`k${i % 2}`, stampAt(i), i)])
    wal.acknowledge('primary', [1, 2, 3, 4, 5, 6])
    const woken: string[] = []
    wal.onReadable((place) => woken.push(place))
    wal.resend('primary')
    expect(woken).toContain('primary')
    expect(await readLsns(wal, 'primary')).toEqual([1, 2, 3, 4, 5, 6])
    expect(await readLsns(wal, 'backup')).toEqual([1, 2, 3, 4, 5, 6])
    expect(await wal.pending('primary', 'k1')).toHaveLength(3)
    expect(wal.stats().places.primary.cursor).toBe(0)
    wal.acknowledge('primary', [1, 2, 3, 4, 5, 6])
    expect(pendingKeys(wal, 'primary')).toEqual([])
    expect(wal.stats().places.primary.cursor).toBe(6)
  })

  test('many entries that come and go leave nothing behind', async () => {
    const wal = await setup()
    for (let round = 0; round < 20; round++) {
      const calls = Array.from({ length: 100 }, (_, i) =>
        wal.append([append(`k${i % 7}`, stampAt(round * 100 + i), i)]),
      )
      const lsns = await Promise.all(calls)
      wal.acknowledge('primary', lsns)
      wal.acknowledge('backup', lsns.toReversed())
    }
    const { places } = wal.stats()
    for (const place of [places.primary, places.backup]) {
      expect(place).toEqual({
        pendingEntries: 0,
        quarantinedEntries: 0,
        oldestPendingMs: 0,
        cursor: 2000,
      })
    }
    expect(pendingKeys(wal, 'primary')).toEqual([])
  })
}
