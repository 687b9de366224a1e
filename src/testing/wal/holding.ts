import { expect, test } from 'vitest'
import { append, stampAt } from '../backend/operations.ts'
import { pendingKeys, readLsns, type WalContext } from './context.ts'

export function holding({ setup }: WalContext): void {
  test('a held entry is pending but not given out, until it is released', async () => {
    const wal = await setup()
    const lsn = await wal.append([append('k', stampAt(0), 0)], { hold: ['primary'] })
    const later = await wal.append([append('k', stampAt(1), 1)])
    expect(await readLsns(wal, 'primary')).toEqual([later])
    expect(await readLsns(wal, 'backup')).toEqual([lsn, later])
    expect(await wal.pending('primary', 'k')).toHaveLength(2)
    expect(pendingKeys(wal, 'primary')).toEqual(['k'])
    expect(wal.readable('primary')).toBe(1)
    const woken: string[] = []
    wal.onReadable((place) => woken.push(place))
    wal.release('primary', [lsn])
    expect(woken).toEqual(['primary'])
    expect(await readLsns(wal, 'primary')).toEqual([lsn, later])
    wal.release('primary', [lsn, later, 99])
    expect(woken).toEqual(['primary'])
  })

  test('an acknowledgement ends a hold', async () => {
    const wal = await setup()
    const hold = ['primary', 'backup'] as const
    const lsn = await wal.append([append('k', stampAt(0), 0)], { hold })
    wal.acknowledge('primary', [lsn])
    wal.release('primary', [lsn])
    expect(await readLsns(wal, 'primary')).toEqual([])
    expect(wal.hasPending('primary', 'k')).toBe(false)
    expect(wal.hasPending('backup', 'k')).toBe(true)
    wal.release('backup', [lsn])
    expect(await readLsns(wal, 'backup')).toEqual([lsn])
  })
}
