import { describe, expect, test } from 'vitest'
import type { ConformanceContext } from './context.ts'
import { append, clear, edit, set, stampAt } from './operations.ts'

/** `readState`, hints, cursors and `trust`. */
export function state({ setup, reopen, open, capabilities }: ConformanceContext): void {
  describe('state', () => {
    test('a new database has an identity of its own and nothing else', async () => {
      const [one, two] = [await setup(), await setup()]
      const read = await one.readState('writer')
      expect(read.identity).toMatch(/./)
      const { nowMs = Number.POSITIVE_INFINITY, hintVersion: _version, ...rest } = read
      expect(nowMs).toBeGreaterThan(Date.UTC(2024, 0, 1))
      expect(rest).toEqual({ identity: read.identity, hints: [] })
      expect((await two.readState('writer')).identity).not.toBe(read.identity)
      expect((await one.apply([])).identity).toBe(read.identity)
    })

    test('head is the greatest stamp of anything that stands', async () => {
      const backend = await setup()
      const head = async () => (await backend.readState('w')).head
      await backend.apply([append('k', stampAt(5_000), 1)])
      expect(await head()).toBe(stampAt(5_000))
      await backend.apply([append('k', stampAt(1_000), 1)])
      expect(await head()).toBe(stampAt(5_000))
      await backend.apply([append('k', stampAt(6_000), 1, 'id')])
      expect(await head()).toBe(stampAt(6_000))
      await backend.apply([edit('k', 'id', stampAt(6_000), stampAt(7_000), 1)])
      expect(await head()).toBe(stampAt(7_000))
      await backend.apply([set('other', stampAt(8_000), 1)])
      expect(await head()).toBe(stampAt(8_000))
      await backend.apply([clear('k', stampAt(9_000))])
      expect(await head()).toBe(stampAt(9_000))
    })

    test('a group that is refused leaves head as it was', async () => {
      const backend = await setup()
      await backend.apply([set('k', stampAt(5_000), 1)])
      const group = [append('k', stampAt(9_000), 1), set('k', stampAt(1_000), 1)]
      await backend.apply(group, { decide: true })
      expect((await backend.readState('w')).head).toBe(stampAt(5_000))
    })

    test('a hint is raised with each call that carries it', async () => {
      const backend = await setup()
      await backend.apply([append('k', stampAt(1), 1)], { hint: 'one' })
      const [first] = (await backend.readState('w')).hints
      expect(first!.writer).toBe('one')
      await backend.apply([append('k', stampAt(2), 1)], { hint: 'one' })
      await backend.apply([], { hint: 'two' })
      const { hints } = await backend.readState('w')
      expect(hints.map(({ writer }) => writer).sort()).toEqual(['one', 'two'])
      const raised = hints.find(({ writer }) => writer === 'one')!
      expect(raised.count).toBeGreaterThan(first!.count)
    })

    test('a hint is removed only while its count is the same', async () => {
      const backend = await setup()
      await backend.apply([], { hint: 'one' })
      const { hints: old } = await backend.readState('w')
      await backend.apply([], { hint: 'one' })
      await backend.removeHints(old)
      const { hints } = await backend.readState('w')
      expect(hints).toHaveLength(1)
      await backend.removeHints([...hints, { writer: 'absent', count: 1 }])
      expect((await backend.readState('w')).hints).toEqual([])
    })

    test('a late removal does not take a hint that was raised again meanwhile', async () => {
      const backend = await setup()
      await backend.apply([], { hint: 'one' })
      const { hints } = await backend.readState('w')
      await backend.removeHints(hints)
      await backend.apply([], { hint: 'one' })
      await backend.removeHints(hints)
      expect((await backend.readState('w')).hints).toHaveLength(1)
    })

    test('hints can be asked for alone, and tell whether one came and went', async () => {
      const backend = await setup()
      const empty = await backend.readHints()
      expect(empty.hints).toEqual([])
      expect((await backend.readHints()).hintVersion).toBe(empty.hintVersion)
      await backend.apply([], { hint: 'one' })
      const raised = await backend.readHints()
      const { identity, hints, hintVersion } = await backend.readState('w')
      expect({ identity, hints, hintVersion }).toEqual({ hintVersion: undefined, ...raised })
      await backend.removeHints(hints)
      const after = await backend.readHints()
      expect(after.hints).toEqual([])
      if (after.hintVersion !== undefined) expect(after.hintVersion).not.toBe(empty.hintVersion)
    })

    test('a cursor is kept for each writer and never goes back', async () => {
      const backend = await setup()
      expect((await backend.readState('one')).cursor).toBeUndefined()
      await backend.apply([], { cursor: { writer: 'one', lsn: 7 } })
      await backend.apply([append('k', stampAt(1), 1)], { cursor: { writer: 'one', lsn: 9 } })
      await backend.apply([append('k', stampAt(2), 1)], { cursor: { writer: 'one', lsn: 8 } })
      await backend.apply([], { cursor: { writer: 'two', lsn: 0 } })
      expect((await backend.readState('one')).cursor).toBe(9)
      expect((await backend.readState('two')).cursor).toBe(0)
      expect((await backend.readState('three')).cursor).toBeUndefined()
    })

    test('trust notes the identity of the other database', async () => {
      const backend = await setup()
      await backend.trust('first')
      await backend.trust('second')
      expect((await backend.readState('w')).trusted).toBe('second')
    })

    test.runIf(capabilities.persistent)('everything is there after a reconnect', async () => {
      const backend = await open()
      await backend.apply([append('k', stampAt(1_000), 'a'), set('k', stampAt(2_000), 'b')], {
        hint: 'one',
        cursor: { writer: 'one', lsn: 5 },
      })
      await backend.trust('other')
      const { nowMs: _before, ...before } = await backend.readState('one')
      await backend.disconnect()
      const again = await reopen!(backend)
      try {
        const { nowMs: _after, ...after } = await again.readState('one')
        expect(after).toEqual(before)
        expect(await again.get('k')).toBe('b')
        expect(await again.getRange('k', 0, 5)).toEqual(['a'])
      } finally {
        await again.disconnect()
      }
    })
  })
}
