// Goal: pages of two places that lack different things have each item once, in order, and say what they are worth.
import { expect, onTestFinished, test } from 'vitest'
import type { MemoryBackend } from '../../backend/memory/memory-backend.ts'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import { parseSearch } from '../../core/search/search-terms.ts'
import { StrategicStorageManager, StrategyFactory } from '../../index.ts'
import { append, edit, remove, stampAt } from '../../testing/backend/operations.ts'
import { DurableMemoryBackend } from '../../testing/durable-memory-backend.ts'

const PREFIX = 'chat/1:t:'

function say(i: number, content = 'alpha'): ReturnType<typeof append> {
  return append(`${PREFIX}${i % 3}`, stampAt(i), { role: 'user', content })
}

async function open(
  primary: ReplicaBackend,
  backup: ReplicaBackend,
): Promise<StrategicStorageManager> {
  const store = new StrategicStorageManager(
    { primary, backup, reconcile: false, drainTimeout: 100 },
    StrategyFactory.createReadStrategy('primary-first'),
    StrategyFactory.createWriteStrategy('idempotent'),
    StrategyFactory.createHealthManager('simple'),
    StrategyFactory.createWALManager('in-memory'),
  )
  onTestFinished(() => store.disconnect())
  await store.connect()
  return store
}

async function connected<T extends ReplicaBackend>(backend: T): Promise<T> {
  await backend.connect()
  return backend
}

/** As a place is without an index. */
function withoutSearch(backend: MemoryBackend): ReplicaBackend {
  return Object.assign(backend, { search: undefined, getSearch: undefined })
}

test('what only one place has is found in its order, and what the other one knows of it counts', async () => {
  const [primary, backup] = [
    await connected(new DurableMemoryBackend()),
    await connected(new DurableMemoryBackend()),
  ]
  // Two databases that have not met: both are read until they are known to be equal.
  const all = Array.from({ length: 60 }, (_, i) => say(i))
  await primary.apply(all.filter((_, i) => i < 40 && i % 4 !== 0))
  await backup.apply(all.filter((_, i) => i >= 40 || i % 4 === 0))
  const gone = all[45]!
  await primary.apply([remove(gone.key, gone.id, gone.position, stampAt(100))])
  const changed = all[8]!
  const value = { role: 'user', content: 'beta' }
  await primary.apply([edit(changed.key, changed.id, changed.position, stampAt(100), value)])
  const store = await open(primary, backup)
  const expected = all.filter((one) => one !== gone && one !== changed).map(({ id }) => id)
  for (const limit of [1, 7, 58, 100]) {
    const ids: string[] = []
    let before: (typeof gone)['position'] | undefined
    do {
      const page = await store.searchItems({
        terms: parseSearch('alpha'),
        prefix: PREFIX,
        limit,
        ...(before !== undefined && { before }),
      })
      ids.push(...page.found.map(({ item }) => item.id))
      before = page.next
    } while (before !== undefined)
    expect(ids).toEqual(expected.toReversed())
  }
})

test('a search of one place of two says so, though the read of both would be complete', async () => {
  const primary = await connected(new DurableMemoryBackend())
  const backup = withoutSearch(await connected(new DurableMemoryBackend()))
  const store = await open(primary, backup)
  await store.appendItems(`${PREFIX}a`, [{ value: { role: 'user', content: 'alpha' }, name: 'a' }])
  await store.flushWAL()
  await store.reconcile()
  const query = { terms: parseSearch('alpha'), prefix: PREFIX, limit: 5 }
  const search = async (): Promise<boolean> => (await store.searchItems(query)).complete
  await expect.poll(search).toBe(true)
  // Another writer's hint: what it wrote past the primary stands in the backup alone.
  await backup.apply([say(1)], { hint: 'somebody' })
  const page = await store.searchItems(query)
  expect(page.complete).toBe(false)
})

test('what one place has further down does not come before what the other one has yet to show', async () => {
  const [primary, backup] = [
    await connected(new DurableMemoryBackend()),
    await connected(new DurableMemoryBackend()),
  ]
  // The latest of the primary have the words, and not as the phrase.
  const ahead = Array.from({ length: 20 }, (_, i) =>
    say(40 + i, i < 5 ? 'alpha beta' : 'beta alpha'),
  )
  const behind = Array.from({ length: 40 }, (_, i) => say(i, 'alpha beta'))
  await primary.apply(ahead)
  await backup.apply(behind)
  const store = await open(primary, backup)
  const page = await store.searchItems({
    terms: parseSearch('"alpha beta"'),
    prefix: PREFIX,
    limit: 5,
  })
  expect(page.found.map(({ item }) => item.id)).toEqual(
    ahead
      .slice(0, 5)
      .map(({ id }) => id)
      .toReversed(),
  )
})
