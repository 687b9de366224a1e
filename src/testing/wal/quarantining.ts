import { expect, test } from 'vitest'
import { append, stampAt } from '../backend/operations.ts'
import { eventually } from '../eventually.ts'
import { readLsns, WRITER, type WalContext } from './context.ts'

export function quarantining({ setup, storage, persistent }: WalContext): void {
  test('a quarantined entry stays pending, is not given out and holds up no other', async () => {
    const wal = await setup()
    for (let i = 0; i < 4; i++) await wal.append([append('k', stampAt(i), i)])
    await wal.quarantine('backup', 2, 'value refused')
    expect(await readLsns(wal, 'backup')).toEqual([1, 3, 4])
    expect(await readLsns(wal, 'primary')).toEqual([1, 2, 3, 4])
    expect(await wal.pending('backup', 'k')).toHaveLength(4)
    wal.acknowledge('backup', [1, 3, 4])
    wal.release('backup', [2])
    expect(await readLsns(wal, 'backup')).toEqual([])
    expect(wal.hasPending('backup', 'k')).toBe(true)
    expect(wal.stats().places.backup).toMatchObject({
      pendingEntries: 1,
      quarantinedEntries: 1,
      cursor: 1,
    })
    expect(wal.stats().places.primary.quarantinedEntries).toBe(0)
  })

  test('a held entry can be quarantined, and quarantining twice is quarantining once', async () => {
    const wal = await setup()
    const lsn = await wal.append([append('k', stampAt(0), 0)], { hold: ['primary'] })
    await wal.quarantine('primary', lsn, 'first')
    await wal.quarantine('primary', lsn, 'second')
    wal.release('primary', [lsn])
    expect(await readLsns(wal, 'primary')).toEqual([])
    expect(wal.stats().places.primary).toMatchObject({ pendingEntries: 1, quarantinedEntries: 1 })
  })

  test('quarantining what is acknowledged or never was changes nothing', async () => {
    const wal = await setup()
    const lsn = await wal.append([append('k', stampAt(0), 0)])
    wal.acknowledge('primary', [lsn])
    await wal.quarantine('primary', lsn, 'late')
    await wal.quarantine('primary', 77, 'never')
    expect(wal.stats().places.primary).toMatchObject({ pendingEntries: 0, quarantinedEntries: 0 })
  })

  test('a quarantined entry can be acknowledged after all', async () => {
    const wal = await setup()
    for (let i = 0; i < 3; i++) await wal.append([append('k', stampAt(i), i)])
    await wal.quarantine('primary', 1, 'poison')
    wal.acknowledge('primary', [1, 2, 3])
    expect(wal.hasPending('primary', 'k')).toBe(false)
    expect(wal.stats().places.primary).toMatchObject({
      pendingEntries: 0,
      quarantinedEntries: 0,
      cursor: 3,
    })
  })

  test('what a place refused is listed with its reason and its keys', async () => {
    const wal = await setup()
    if (wal.refused === undefined) return
    await wal.append([append('k', stampAt(0), 0)])
    const lsn = await wal.append([append('k', stampAt(1), 1), append('other', stampAt(2), 2)])
    await wal.quarantine('backup', lsn, 'refused \u0000 for good')
    expect(await wal.refused('primary')).toEqual([])
    const [found, ...more] = await wal.refused('backup')
    expect(more).toEqual([])
    expect({ ...found, keys: [...found!.keys].sort() }).toEqual({
      place: 'backup',
      reason: 'refused \u0000 for good',
      keys: ['k', 'other'],
    })
    wal.acknowledge('backup', [lsn])
    await eventually(async () => expect(await wal.refused!('backup')).toEqual([]))
  })

  test('what was refused is given out once more when it is asked for, and may be refused again', async () => {
    const wal = await setup()
    if (wal.retryQuarantined === undefined) return
    for (let i = 0; i < 4; i++) await wal.append([append('k', stampAt(i), i)])
    await wal.quarantine('backup', 2, 'refused')
    await wal.quarantine('backup', 3, 'refused')
    wal.acknowledge('backup', [1, 4])
    expect(await wal.retryQuarantined('primary')).toBe(0)
    expect(await wal.retryQuarantined('backup')).toBe(2)
    expect(await readLsns(wal, 'backup')).toEqual([2, 3])
    wal.acknowledge('backup', [2])
    await wal.quarantine('backup', 3, 'refused again')
    expect(await readLsns(wal, 'backup')).toEqual([])
    expect(wal.stats().places.backup).toMatchObject({
      pendingEntries: 1,
      quarantinedEntries: 1,
      cursor: 2,
    })
  })

  test.runIf(persistent)(
    'a quarantined entry is quarantined after closing and opening',
    async () => {
      const fixture = await storage()
      const wal = fixture.create()
      await wal.open(WRITER)
      const poison = append('k', stampAt(0), 'poison')
      await wal.append([poison])
      await wal.append([append('k', stampAt(1), 'good')])
      await wal.append([append('k', stampAt(2), 'settled')])
      await wal.quarantine('backup', 1, 'refused \ud800 for good')
      await wal.quarantine('primary', 3, 'refused')
      wal.acknowledge('primary', [1, 2, 3])
      wal.acknowledge('backup', [2, 3])
      await wal.close()

      for (let round = 0; round < 3; round++) {
        const again = fixture.create()
        await again.open(WRITER)
        expect(await again.pending('backup', 'k')).toEqual([poison])
        expect(await again.pending('primary', 'k')).toEqual([])
        expect(await readLsns(again, 'backup')).toEqual([])
        expect(again.stats().places.backup.quarantinedEntries).toBe(1)
        expect(again.stats().places.primary.quarantinedEntries).toBe(0)
        await again.close()
      }
    },
  )
}
