import { describe, expect, test } from 'vitest'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import { itemValue } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { numbersOfSearch, type SearchScope } from '../../core/search/search-numbers.ts'
import { parseSearch } from '../../core/search/search-terms.ts'
import { allItems, collect, rejects, type ConformanceContext } from './context.ts'
import { append, clear, edit, remove, stampAt } from './operations.ts'

const KEY = 'chat/1:t:a'
const SCOPE: SearchScope = { prefix: 'chat/1:t:' }

/** `search` and `getSearch`. */
export function searching({ setup, reopen, open, capabilities }: ConformanceContext): void {
  if (!capabilities.search) {
    describe('search', () => {
      test('an engine without an index says so, and why', async () => {
        const backend = await setup()
        const state = backend.getSearch?.() ?? { state: 'none', reason: 'it has no search' }
        expect(['none', 'off']).toContain(state.state)
        expect(state.reason).toMatch(/./)
        if (backend.search === undefined) return
        await rejects(backend.search({ numbers: [1], limit: 1 }), 'UNSUPPORTED')
      })
    })
    return
  }
  describe('search', () => {
    test('finds what was applied before, latest first, with any case and in any script', async () => {
      const backend = await ready(await setup())
      await backend.apply([
        say(1, 'The Quick brown fox'),
        say(2, 'quick: 日本語の文章'),
        say(3, 'nothing of it'),
        say(4, 'CAFÉ, straße, ﬁne', 'caller'),
      ])
      expect(await find(backend, 'quick')).toEqual([stampAt(2), stampAt(1)])
      expect(await find(backend, 'brown QUICK')).toEqual([stampAt(1)])
      expect(await find(backend, '日本')).toEqual([stampAt(2)])
      expect(await find(backend, '章')).toEqual([stampAt(2)])
      expect(await find(backend, '本日')).toEqual([])
      expect(await find(backend, 'cafe fine')).toEqual(['caller'])
      expect(await find(backend, 'absent')).toEqual([])
    })

    test('what was edited, removed or cleared is found as it stands', async () => {
      const backend = await ready(await setup())
      await backend.apply([say(1, 'alpha'), say(2, 'alpha'), say(3, 'alpha'), say(4, 'alpha')])
      expect(await find(backend, 'alpha')).toHaveLength(4)
      await backend.apply([
        edit(KEY, stampAt(2), stampAt(2), stampAt(5), message('beta')),
        remove(KEY, stampAt(3), stampAt(3), stampAt(5)),
      ])
      expect(await find(backend, 'alpha')).toEqual([stampAt(4), stampAt(1)])
      expect(await find(backend, 'beta')).toEqual([stampAt(2)])
      await backend.apply([clear(KEY, stampAt(3))])
      expect(await find(backend, 'alpha')).toEqual([stampAt(4)])
      expect(await find(backend, 'beta')).toEqual([])
      // What comes late, below the clear, is gone before it arrives.
      await backend.apply([say(0, 'alpha')])
      expect(await find(backend, 'alpha')).toEqual([stampAt(4)])
    })

    test('an id that was cleared is found again under its new position', async () => {
      const backend = await ready(await setup())
      await backend.apply([say(1, 'first', 'id')])
      await backend.apply([clear(KEY, stampAt(2))])
      await backend.apply([say(3, 'second', 'id')])
      expect(await find(backend, 'first')).toEqual([])
      expect(await find(backend, 'second')).toEqual(['id'])
    })

    test('a tenant, a conversation and a role are looked in alone', async () => {
      const backend = await ready(await setup())
      const other = 'chat/2:tt:a'
      const sibling = 'chat/1:t:b'
      await backend.apply([
        say(1, 'word'),
        append(other, stampAt(2), message('word')),
        append(sibling, stampAt(3), message('word', 'assistant')),
        append('record/1:t:a', stampAt(4), 'word of a title', 'title'),
        append('record/1:t:a', stampAt(5), 'word of an owner', 'owner'),
        append('elsewhere', stampAt(6), message('word')),
      ])
      expect(await find(backend, 'word')).toEqual([stampAt(3), stampAt(1)])
      expect(await find(backend, 'word', { prefix: 'chat/2:tt:' })).toEqual([stampAt(2)])
      expect(await find(backend, 'word', { ...SCOPE, key: sibling })).toEqual([stampAt(3)])
      expect(await find(backend, 'word', { ...SCOPE, role: 'user' })).toEqual([stampAt(1)])
      expect(await find(backend, 'word', { prefix: 'record/1:t:' })).toEqual(['title'])
    })

    test('pages of any size have each item once, within their bounds', async () => {
      const backend = await ready(await setup())
      // Some share a millisecond, and some arrive later than what stands behind them.
      const count = 300
      const operations = Array.from({ length: count }, (_, i) => {
        const position = stampAt(Math.floor(i / 3), i % 2, i + 1)
        return append(`chat/1:t:${i % 7}`, position, message(`common ${i}`))
      })
      await backend.apply(operations.slice(100, 200))
      await backend.apply(operations.slice(200))
      await backend.apply(operations.slice(0, 100))
      const all = operations.map(({ position }) => position).sort()
      for (const limit of [7, 100, 299, 300, 1_000]) {
        expect(await find(backend, 'common', SCOPE, { limit })).toEqual(all.toReversed())
      }
      const bounds = { after: all[10]!, before: all[20]! }
      expect(await find(backend, 'common', SCOPE, { ...bounds, limit: 4 })).toEqual(
        all.slice(11, 20).toReversed(),
      )
    })

    test('what looks like the syntax of a database is not', async () => {
      const backend = await ready(await setup())
      await backend.apply([say(1, `it's "NEAR(a b)" OR 1=1; DROP TABLE x -- {}`)])
      for (const text of ["it's", 'NEAR(a', 'OR', '{}*drop', 'a^b:* & | !(', `';--x`, '1=1']) {
        const numbers = numbersOfSearch(parseSearch(text), SCOPE)
        await expect(backend.search!({ numbers, limit: 5 })).resolves.toHaveProperty('done')
      }
      expect(await find(backend, 'near')).toEqual([stampAt(1)])
      const long = 'x'.repeat(100_000)
      await backend.apply([say(2, `${long} ${'wörter '.repeat(50_000)}`)])
      expect(await find(backend, long.slice(0, 4_000))).toEqual([stampAt(2)])
      expect(await find(backend, 'worter')).toEqual([stampAt(2)])
    })

    test('what writers of the same items do at once ends as a read shows it', async () => {
      const backend = await ready(await setup())
      const ids = Array.from({ length: 20 }, (_, i) => stampAt(i))
      await Promise.all(
        ids.flatMap((id, i) => [
          backend.apply([say(i, 'alpha')]),
          backend.apply([edit(KEY, id, id, stampAt(100 + i), message(i % 2 ? 'beta' : 'alpha'))]),
          find(backend, 'alpha'),
          ...(i % 5 === 0 ? [backend.apply([remove(KEY, id, id, stampAt(200))])] : []),
        ]),
      )
      for (const word of ['alpha', 'beta']) {
        const seen = await allItems(backend, KEY)
        const wanted = seen.filter((item) => itemValue(item)!.includes(word))
        expect(await find(backend, word)).toEqual(wanted.map(({ id }) => id).toReversed())
      }
    })

    test('nothing is missing in it, and what is made anew is the same', async () => {
      const backend = await ready(await setup())
      await backend.apply([say(1, 'alpha'), say(2, 'beta'), say(3, 'alpha')])
      await find(backend, 'alpha')
      if (backend.checkParts === undefined) return
      expect(await collect(backend.checkParts())).toEqual([])
      await backend.mendParts!()
      await ready(backend)
      expect(await find(backend, 'alpha')).toEqual([stampAt(3), stampAt(1)])
    })

    test.runIf(capabilities.persistent && reopen !== undefined)(
      'what was written is found after it was opened again',
      async () => {
        const first = await ready(await open())
        await first.apply([say(1, 'alpha')])
        await first.disconnect()
        const second = await ready(await reopen!(first))
        expect(await find(second, 'alpha')).toEqual([stampAt(1)])
        await second.disconnect()
      },
    )
  })
}

function message(content: string, role = 'user'): unknown {
  return { role, content }
}

function say(ms: number, content: string, id: string = stampAt(ms)): Operation {
  return append(KEY, stampAt(ms), message(content), id)
}

async function ready(backend: ReplicaBackend): Promise<ReplicaBackend> {
  await expect.poll(() => backend.getSearch?.().state, { timeout: 10_000 }).toBe('ready')
  return backend
}

/** The ids of what has the numbers, page by page. */
async function find(
  backend: ReplicaBackend,
  text: string,
  scope: SearchScope = SCOPE,
  { limit = 10, ...bounds }: Partial<Parameters<NonNullable<ReplicaBackend['search']>>[0]> = {},
): Promise<string[]> {
  const numbers = numbersOfSearch(parseSearch(text), scope)
  const ids: string[] = []
  let { before } = bounds
  for (;;) {
    const page = await backend.search!({
      ...bounds,
      numbers,
      limit,
      ...(before !== undefined && { before }),
    })
    ids.push(
      ...page.found.filter(({ item }) => itemValue(item) !== undefined).map(({ item }) => item.id),
    )
    if (page.done) return ids
    before = page.edge!
  }
}
