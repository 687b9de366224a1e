import { expect, test } from 'vitest'
import { append, stampAt } from '../backend/operations.ts'
import { readAll, readLsns, type WalContext } from './context.ts'

export function reopening({ storage, persistent }: WalContext): void {
  test('a new log is empty', async () => {
    const wal = (await storage()).create()
    expect(await wal.open('8000-00000000000a')).toEqual({ ceilingMs: 0, formerWriters: [] })
    expect(await wal.read('primary', 10)).toEqual([])
    expect(wal.stats()).toMatchObject({ state: 'open', entries: 0, head: 0 })
    await wal.close()
  })

  test('the same log can be closed and opened again', async () => {
    const wal = (await storage()).create()
    await wal.open('8000-00000000000a')
    await wal.append([append('k', stampAt(0), 0)])
    await wal.close()
    await wal.open('8000-00000000000b')
    expect(await readLsns(wal, 'backup')).toEqual([1])
    expect(await wal.append([append('k', stampAt(1), 1)])).toBe(2)
    await wal.close()
  })

  test.runIf(persistent)('entries, acknowledgements and writers survive', async () => {
    const fixture = await storage()
    const first = fixture.create()
    await first.open('8000-00000000000a')
    const operations = Array.from({ length: 30 }, (_, i) => append(`k${i % 4}`, stampAt(i), i))
    for (const operation of operations) await first.append([operation])
    first.acknowledge('primary', [1, 2, 3, 10])
    first.acknowledge('backup', [1, 2])
    await first.close()

    const second = fixture.create()
    const opened = await second.open('8000-00000000000b')
    expect(opened.formerWriters).toEqual(['8000-00000000000a'])
    expect(opened.head).toBe(stampAt(29))
    expect(opened.ceilingMs).toBeGreaterThan(0)
    const kept = await readAll(second, 'backup')
    expect(kept.map(({ operations: group }) => group[0])).toEqual(operations.slice(2))
    expect((await readAll(second, 'primary')).map(({ operations: group }) => group[0])).toEqual(
      operations.filter((_, i) => ![0, 1, 2, 9].includes(i)),
    )
    expect(await second.append([append('k', stampAt(40), 'more')])).toBe(31)
    await second.close()

    const third = fixture.create()
    const { formerWriters } = await third.open('8000-00000000000c')
    expect(formerWriters).toEqual(['8000-00000000000a', '8000-00000000000b'])
    expect(await readAll(third, 'backup')).toHaveLength(29)
    await third.close()
  })

  test.runIf(persistent)('holds do not survive', async () => {
    const fixture = await storage()
    const first = fixture.create()
    await first.open('8000-00000000000a')
    const lsn = await first.append([append('k', stampAt(0), 0)], { hold: ['primary', 'backup'] })
    await first.close()
    const second = fixture.create()
    await second.open('8000-00000000000b')
    expect(await readLsns(second, 'primary')).toEqual([lsn])
    expect(await readLsns(second, 'backup')).toEqual([lsn])
    await second.close()
  })

  test.runIf(persistent)('LSNs go on, also after everything was acknowledged', async () => {
    const fixture = await storage()
    for (let round = 0; round < 4; round++) {
      const wal = fixture.create()
      await wal.open(`8000-00000000000${round}`)
      expect(await wal.read('primary', 10)).toEqual([])
      const lsn = await wal.append([append('k', stampAt(round), round)])
      expect(lsn).toBe(round + 1)
      wal.acknowledge('primary', [lsn])
      wal.acknowledge('backup', [lsn])
      await wal.close()
    }
  })

  test.runIf(persistent)('a resend survives', async () => {
    const fixture = await storage()
    const first = fixture.create()
    await first.open('8000-00000000000a')
    for (let i = 0; i < 5; i++) await first.append([append('k', stampAt(i), i)])
    first.acknowledge('primary', [1, 2, 3, 4, 5])
    first.resend('primary')
    await first.close()
    const second = fixture.create()
    await second.open('8000-00000000000b')
    expect(await readLsns(second, 'primary')).toEqual([1, 2, 3, 4, 5])
    await second.close()
  })
}
