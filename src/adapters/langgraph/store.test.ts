// Goal: the store does what that of the framework in memory does; items expire, and keep the times of their creation.
import { InMemoryStore, type BaseStore } from '@langchain/langgraph-checkpoint'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ODD, open, RUNS } from '../../../test/support/langgraph-rig.ts'
import { EverthreadStore } from '../langgraph.ts'

describe('the store', () => {
  test('does what the one in memory does', async () => {
    const history = await open()
    let runs = 0
    const label = fc.constantFrom('a', 'b', 'ab', '🙂')
    const namespace = fc.array(label, { minLength: 1, maxLength: 3 })
    const key = fc.constantFrom('k', 'a.b', 'x:y', ...ODD)
    const step = fc.oneof(
      fc.record({
        put: namespace,
        key,
        value: fc.record({ n: fc.nat(3), s: fc.constantFrom(...ODD) }),
      }),
      fc.record({ remove: namespace, key }),
    )
    const filter = fc.constantFrom(
      {},
      { n: 1 },
      { n: { $gte: 2 } },
      { n: { $ne: 0, $lt: 3 } },
      { n: { $in: [0, 2] } },
      { s: 'nul \0' },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        namespace,
        filter,
        async (steps, path, wanted) => {
          const ours = new EverthreadStore(history.forTenant(`run ${runs++}`))
          const theirs = new InMemoryStore()
          for (const each of steps) {
            for (const store of [ours, theirs]) {
              if ('put' in each) await store.put(each.put, each.key, each.value)
              else await store.delete(each.remove, each.key)
            }
            const at = 'put' in each ? each.put : each.remove
            expect(values(await ours.get(at, each.key))).toEqual(
              values(await theirs.get(at, each.key)),
            )
          }
          for (const prefix of [[], path, path.slice(0, 1)]) {
            expect(await found(ours, prefix, wanted)).toEqual(await found(theirs, prefix, wanted))
          }
          // The one in memory also names namespaces whose items were removed.
          const live = new Set(
            (await found(theirs, [], {})).map(({ namespace: each }) => each.join('.')),
          )
          const names = await ours.listNamespaces()
          expect(names.map((each) => each.join('.')).toSorted()).toEqual([...live].toSorted())
        },
      ),
      { numRuns: RUNS },
    )
  })

  test('lists namespaces by their ends, down to a depth, page by page', async () => {
    const store = new EverthreadStore(await open())
    const paths = [
      ['a', 'x', 'v1'],
      ['a', 'y', 'v1'],
      ['a', 'y', 'v2'],
      ['b', 'v1'],
      ['ab', 'v1'],
    ]
    for (const path of paths) await store.put(path, 'k', { v: 1 })
    expect(await store.listNamespaces({ prefix: ['a'] })).toEqual(paths.slice(0, 3))
    expect(await store.listNamespaces({ prefix: ['*', 'y'] })).toEqual(paths.slice(1, 3))
    expect(await store.listNamespaces({ suffix: ['v1'], prefix: ['a'] })).toEqual(paths.slice(0, 2))
    expect(await store.listNamespaces({ maxDepth: 1 })).toEqual([['a'], ['ab'], ['b']])
    expect(await store.listNamespaces({ maxDepth: 2, limit: 2, offset: 1 })).toEqual([
      ['a', 'y'],
      ['ab', 'v1'],
    ])
  })

  test('the latest come first; an item keeps the time of its creation', async () => {
    const history = await open()
    const store = new EverthreadStore(history)
    for (const key of ['a', 'b', 'c']) {
      await store.put(['n'], key, { key })
      const putAt = history.store.now()
      // The times of items are milliseconds.
      await expect.poll(() => history.store.now() - putAt, { interval: 1 }).toBeGreaterThan(2)
    }
    const created = (await store.get(['n'], 'a'))!.createdAt
    await store.put(['n'], 'a', { key: 'A' })
    const items = await store.search(['n'])
    expect(items.map(({ key }) => key)).toEqual(['a', 'c', 'b'])
    expect(items[0]!.createdAt).toEqual(created)
    expect(items[0]!.updatedAt.getTime()).toBeGreaterThan(created.getTime())
    expect((await store.search(['n'], { limit: 1, offset: 1 })).map(({ key }) => key)).toEqual([
      'c',
    ])
  })

  test('a batch reads what stood before it, and its last put of an item counts', async () => {
    const store = new EverthreadStore(await open())
    const results = await store.batch([
      { namespace: ['n'], key: 'k', value: { v: 1 } },
      { namespace: ['n'], key: 'k' },
      { namespace: ['n'], key: 'k', value: { v: 2 } },
      { namespacePrefix: [] },
    ])
    expect(results).toEqual([null, null, null, []])
    expect((await store.get(['n'], 'k'))!.value).toEqual({ v: 2 })
    const many = Array.from({ length: 700 }, (_, i) => ({
      namespace: ['m'],
      key: `${i}`,
      value: { i },
    }))
    await store.batch(many)
    expect(await store.search(['m'], { limit: 1_000 })).toHaveLength(700)
  })

  test('items expire where they are to', async () => {
    const history = await open()
    const brief = new EverthreadStore(history, { ttlMs: 1 })
    await brief.put(['n'], 'k', { v: 1 })
    await expect.poll(() => brief.get(['n'], 'k')).toBeNull()
    expect(await brief.search([])).toEqual([])
    await new EverthreadStore(history, { ttlMs: 60_000 }).put(['n'], 'k', { v: 2 })
    expect((await brief.get(['n'], 'k'))!.value).toEqual({ v: 2 })
    expect(() => new EverthreadStore(history, { ttlMs: 0 })).toThrow(
      /ttlMs must be an integer from 1/,
    )
  })

  test('what cannot be stored is refused, before anything of the batch is', async () => {
    const store = new EverthreadStore(await open())
    await expect(store.put(['x'.repeat(400)], 'k', {})).rejects.toThrow(
      /namespace must be at most 400 bytes/,
    )
    await expect(store.put([], 'k', {})).rejects.toThrow(/Namespace cannot be empty/)
    const batch = store.batch([
      { namespace: ['n'], key: 'good', value: { v: 1 } },
      { namespace: ['n'], key: 'bad', value: { v: () => 1 } },
    ])
    await expect(batch).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
    expect(await store.get(['n'], 'good')).toBeNull()
  })
})

function values(item: { readonly value: unknown; readonly key: string } | null): unknown {
  return item && { value: item.value, key: item.key }
}

async function found(
  store: BaseStore,
  prefix: string[],
  filter: Record<string, unknown>,
): Promise<{ key: string; value: unknown; namespace: string[] }[]> {
  const items = await store.search(prefix, { filter, limit: 1_000 })
  const name = (item: { key: string; namespace: string[] }): string =>
    JSON.stringify([item.namespace, item.key])
  return items
    .map(({ key, value, namespace }) => ({ key, value, namespace }))
    .toSorted((a, b) => (name(a) < name(b) ? -1 : 1))
}
