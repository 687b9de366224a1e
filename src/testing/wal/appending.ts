import { expect, test } from 'vitest'
import type { Operation } from '../../core/operation.ts'
import { append, clear, edit, remove, set, stampAt } from '../backend/operations.ts'
import { readAll, readLsns, readOperations, refuses, WRITER, type WalContext } from './context.ts'

export function appending({ setup, storage }: WalContext): void {
  test('LSNs are 1, 2, 3, … in the order of the calls', async () => {
    const wal = await setup()
    const calls = Array.from({ length: 50 }, (_, i) => wal.append([append('k', stampAt(i), i)]))
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    expect(await readLsns(wal, 'primary')).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    expect(wal.stats().head).toBe(50)
  })

  test('every kind of operation comes back as it was', async () => {
    const wal = await setup()
    const group: Operation[] = [
      set('settings', stampAt(1), { a: [1, null, 'x'] }),
      append('chat', stampAt(2), 'own id'),
      append('chat', stampAt(3), 'caller’s id', 'order-1'),
      edit('chat', 'order-1', stampAt(3), stampAt(4), 'edited'),
      remove('chat', 'order-1', stampAt(3), stampAt(5)),
      clear('chat', stampAt(6)),
    ]
    const moved = { ...append('chat', stampAt(7), 'moved'), stamp: stampAt(9) }
    await wal.append(group)
    await wal.append([moved])
    expect(await readAll(wal, 'backup')).toEqual([
      { lsn: 1, operations: group },
      { lsn: 2, operations: [moved] },
    ])
  })

  test('any text comes back as it was', async () => {
    const wal = await setup()
    const texts = ['', '\0', 'é😀\u{10ffff}', '\ud800', '\udfff x', '\u2028', 'x'.repeat(70_000)]
    const operations = texts.map((text, i) =>
      append(`key:é😀${i}`, stampAt(i), text, `id %_\\ "${i}" é😀`),
    )
    for (const operation of operations) await wal.append([operation])
    expect(await readOperations(wal, 'primary')).toEqual(operations)
  })

  test('a group of a thousand operations is one entry', async () => {
    const wal = await setup()
    const group = Array.from({ length: 1000 }, (_, i) => append('k', stampAt(i), i))
    expect(await wal.append(group)).toBe(1)
    expect(await readAll(wal, 'primary')).toEqual([{ lsn: 1, operations: group }])
  })

  test('an entry of several megabytes comes back as it was', async () => {
    const wal = await setup()
    const large = append('k', stampAt(0), 'ü'.repeat(1_500_000))
    const small = append('k', stampAt(1), 'small')
    await Promise.all([wal.append([small]), wal.append([large]), wal.append([small])])
    expect(await readOperations(wal, 'primary')).toEqual([small, large, small])
  })

  test('an empty group is refused', async () => {
    const wal = await setup()
    await refuses(wal.append([]), 'INVALID_ARGUMENT')
    expect(wal.stats().head).toBe(0)
  })

  test('at the limit of pending bytes appends are refused, and taken again after acknowledgements', async () => {
    const wal = await setup({ pendingBytesMax: 20_000 })
    const value = 'x'.repeat(1000)
    let taken = 0
    const fill = async (): Promise<void> => {
      for (; taken < 1000; taken++) await wal.append([append('k', stampAt(taken), value)])
    }
    await refuses(fill(), 'OVERLOADED')
    expect(taken).toBeGreaterThan(5)
    expect(taken).toBeLessThan(30)
    const lsns = await readLsns(wal, 'primary')
    expect(lsns).toHaveLength(taken)
    wal.acknowledge('primary', lsns)
    await refuses(wal.append([append('k', stampAt(2000), value)]), 'OVERLOADED')
    wal.acknowledge('backup', lsns)
    expect(await wal.append([append('k', stampAt(2001), value)])).toBe(taken + 1)
  })

  test('an append before open and after close is refused without effect', async () => {
    const wal = (await storage()).create()
    await refuses(wal.append([append('k', stampAt(0), 0)]), 'CLOSED')
    await wal.open(WRITER)
    await wal.append([append('k', stampAt(1), 1)])
    await wal.close()
    await wal.close()
    await refuses(wal.append([append('k', stampAt(2), 2)]), 'CLOSED')
    await refuses(wal.read('primary', 1), 'CLOSED')
    expect(wal.stats().state).toBe('closed')
  })

  test('close waits for the appends under way', async () => {
    const wal = await setup()
    const calls = Array.from({ length: 20 }, (_, i) => wal.append([append('k', stampAt(i), i)]))
    const closed = wal.close()
    expect(await Promise.all(calls)).toHaveLength(20)
    await closed
  })
}
