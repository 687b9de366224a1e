import { expect, test } from 'vitest'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES } from '../../core/places.ts'
import { ofIds, pendingOf, READ_BYTES_MAX, type Lsn } from '../../wal/wal.ts'
import { append, clear, set, stampAt } from '../backend/operations.ts'
import { pendingKeys, readLsns, type WalContext } from './context.ts'

export function pendingReads({ setup }: WalContext): void {
  test('an entry is pending at both places as soon as it was acknowledged', async () => {
    const wal = await setup()
    const operation = append('a', stampAt(0), 0)
    const call = wal.append([operation])
    await call
    for (const place of ['primary', 'backup'] as const) {
      expect(wal.hasPending(place, 'a')).toBe(true)
      expect(wal.hasPending(place, 'b')).toBe(false)
      expect(await wal.pending(place, 'a')).toEqual([operation])
      expect(await wal.pending(place, 'b')).toEqual([])
      expect(pendingKeys(wal, place)).toEqual(['a'])
    }
  })

  test('pending operations of a key come in log order, and no others', async () => {
    const wal = await setup()
    const operations = Array.from({ length: 60 }, (_, i) => append(`k${i % 3}`, stampAt(i), i))
    // Stamps that fall do not change the order: the log's counts.
    for (const operation of operations.toReversed()) await wal.append([operation])
    const expected = operations.toReversed().filter(({ key }) => key === 'k1')
    expect(await wal.pending('primary', 'k1')).toEqual(expected)
    expect(pendingKeys(wal, 'primary')).toEqual(['k0', 'k1', 'k2'])
  })

  test('a group with several keys is found by each of them', async () => {
    const wal = await setup()
    await wal.append([append('a', stampAt(0), 0)])
    const group = [
      append('a', stampAt(1), 1),
      append('b', stampAt(2), 2),
      append('a', stampAt(3), 3),
      set('c', stampAt(4), 4),
    ]
    const lsn = await wal.append(group)
    await wal.append([append('b', stampAt(5), 5)])
    const values = async (key: string): Promise<unknown[]> =>
      (await wal.pending('backup', key)).map((operation) => 'value' in operation && operation.value)
    expect(await values('a')).toEqual(['0', '1', '3'])
    expect(await values('b')).toEqual(['2', '5'])
    expect(await values('c')).toEqual(['4'])
    wal.acknowledge('backup', [lsn])
    expect(await values('a')).toEqual(['0'])
    expect(await values('b')).toEqual(['5'])
    expect(wal.hasPending('backup', 'c')).toBe(false)
    expect(wal.hasPending('primary', 'c')).toBe(true)
    expect(pendingKeys(wal, 'backup')).toEqual(['a', 'b'])
  })

  test('a snapshot that was asked for before an acknowledgement still has the entry', async () => {
    const wal = await setup()
    const lsn = await wal.append([append('a', stampAt(0), 'x'.repeat(100_000))])
    const snapshot = wal.pending('primary', 'a')
    wal.acknowledge('primary', [lsn])
    wal.acknowledge('backup', [lsn])
    expect(await snapshot).toHaveLength(1)
    expect(await wal.pending('primary', 'a')).toEqual([])
  })

  test('pendingOf has what pending has of some ids, and deletes, whatever came in between', async () => {
    const wal = await setup()
    const lsns: Lsn[] = []
    const fill = async (from: number): Promise<void> => {
      for (let i = from; i < from + 150; i++) {
        const operations: Operation[] = [append('k', stampAt(i), i, `id${i % 40}`)]
        if (i % 7 === 0) operations.push(append('other', stampAt(i), i, 'id1'))
        if (i % 11 === 0) operations.push(append('k', stampAt(i), i, `second${i}`))
        if (i % 50 === 0) operations.push(clear('k', stampAt(i - 40)))
        lsns.push(await wal.append(operations))
      }
    }
    const compare = async (): Promise<void> => {
      for (const place of DATABASE_PLACES) {
        for (const ids of [['id3', 'second22', 'none'], ['id1'], []].map((list) => new Set(list))) {
          const expected = ofIds(await wal.pending(place, 'k'), ids)
          expect(await pendingOf(wal, place, 'k', ids)).toEqual(expected)
        }
      }
    }
    await fill(0)
    await compare()
    const third = lsns.filter((_, i) => i % 3 === 0)
    wal.acknowledge('primary', third)
    await fill(150)
    await compare()
    wal.acknowledge('backup', third)
    await compare()
    wal.resend('primary')
    await compare()
    await wal.erase?.((key) => (key === 'k' ? stampAt(60) : undefined))
    await compare()
    for (const place of DATABASE_PLACES) wal.acknowledge(place, lsns)
    await compare()
  })

  test('read gives the oldest entries, at most as many as asked for, again and again', async () => {
    const wal = await setup()
    for (let i = 0; i < 10; i++) await wal.append([append('k', stampAt(i), i)])
    expect((await wal.read('primary', 3)).map(({ lsn }) => lsn)).toEqual([1, 2, 3])
    expect((await wal.read('primary', 3)).map(({ lsn }) => lsn)).toEqual([1, 2, 3])
    expect(await wal.read('primary', 0)).toEqual([])
    wal.acknowledge('primary', [2])
    expect((await wal.read('primary', 3)).map(({ lsn }) => lsn)).toEqual([1, 3, 4])
    expect(await readLsns(wal, 'backup')).toHaveLength(10)
    expect(wal.readable('primary')).toBe(9)
    expect(wal.readable('backup')).toBe(10)
  })

  test('read stops at its limit of bytes, and gives out an entry that is larger', async () => {
    const wal = await setup()
    await wal.append([append('k', stampAt(0), 'short')])
    await wal.append([append('k', stampAt(1), 'x'.repeat(READ_BYTES_MAX))])
    expect((await wal.read('backup', 100)).map(({ lsn }) => lsn)).toEqual([1])
    wal.acknowledge('backup', [1])
    expect((await wal.read('backup', 100)).map(({ lsn }) => lsn)).toEqual([2])
  })

  test('the listener runs when entries become readable', async () => {
    const wal = await setup()
    const woken: string[] = []
    wal.onReadable(() => woken.push('replaced'))
    wal.onReadable((place) => woken.push(place))
    await wal.append([append('k', stampAt(0), 0)])
    expect(new Set(woken)).toEqual(new Set(['primary', 'backup']))
    woken.length = 0
    await wal.append([append('k', stampAt(1), 1)], { hold: ['primary'] })
    expect(new Set(woken)).toEqual(new Set(['backup']))
  })

  test('a listener that throws does not fail the append', async () => {
    const wal = await setup()
    wal.onReadable(() => {
      throw new Error('listener')
    })
    expect(await wal.append([append('k', stampAt(0), 0)])).toBe(1)
  })
}
