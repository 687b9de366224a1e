// Goal: many keys in one call answer as each of them does by itself, whatever a place lacks. Method: stores
// on backends that count their calls and can be cut off; the same questions asked one by one.
import { expect, onTestFinished, test } from 'vitest'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { openChatHistory, type StrategicStorageManager } from '../../src/index.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

interface Rig {
  readonly store: StrategicStorageManager
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
}

type Options = Parameters<typeof openChatHistory>[0]

async function open(options: Partial<Options> = {}): Promise<Rig> {
  const primary = faultyBackend(new MemoryBackend())
  const backup = faultyBackend(new MemoryBackend())
  const history = await openChatHistory({ primary, backup, wal: 'memory:', ...options })
  onTestFinished(() => history.close())
  return { store: history.store, primary, backup }
}

const KEYS = Array.from({ length: 1_200 }, (_, i) => `k/${String(i).padStart(4, '0')}`)

async function fill(store: StrategicStorageManager): Promise<void> {
  for (let i = 0; i < KEYS.length; i += 500) {
    await store.mset(KEYS.slice(i, i + 500).map((key) => [key, { key }] as const))
  }
}

function forget({ calls }: FaultyBackend): void {
  ;(calls as Map<string, number>).clear()
}

test('mget is one call of the engine for a thousand keys, and repeats of a key are one', async () => {
  const { store, primary } = await open()
  await fill(store)
  forget(primary)
  const found = await store.mget<{ key: string }>([...KEYS, KEYS[0]!, 'absent', '__proto__'])
  expect(Object.keys(found)).toEqual(KEYS)
  expect(found[KEYS[7]!]).toEqual({ key: KEYS[7] })
  expect(primary.calls.get('readRegisters')).toBe(2)
  expect(primary.calls.get('readRegister')).toBeUndefined()
})

test.each(['primary-first', 'failover', 'cache-enhanced'] as const)(
  '%s: mget finds what get finds, through an outage and after it',
  async (read) => {
    const options =
      read === 'cache-enhanced'
        ? { cache: 'memory:', read: { type: read, config: { singleProcess: true } } }
        : { read }
    const { store, primary } = await open(options as Partial<Options>)
    const some = KEYS.slice(0, 40)
    const check = async (): Promise<void> => {
      const many = await store.mget(some)
      for (const key of some) expect(many[key]).toEqual(await store.get(key))
    }
    await store.mset(some.slice(0, 30).map((key) => [key, 1] as const))
    await check()
    await check()
    primary.setMode('refused')
    await store.set(some[3]!, 'changed')
    await store.set(some[35]!, 'new')
    await store.delete(some[4]!)
    await check()
    expect((await store.mget(some))[some[3]!]).toBe('changed')
    expect((await store.mget(some))[some[35]!]).toBe('new')
    expect(some[4]! in (await store.mget(some))).toBe(false)
    primary.setMode('up')
    await check()
    await store.flushWAL()
    await check()
    await store.set(some[5]!, 'again')
    expect((await store.mget(some))[some[5]!]).toBe('again')
  },
)

test('what one key of many fails of is not absence', async () => {
  const { store, primary, backup } = await open()
  await store.set('a', 1)
  primary.setMode('refused')
  backup.setMode('refused')
  await expect(store.mget(['a', 'b'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('with treatEmptyAsFailure a key that the primary lacks is sought in the backup', async () => {
  const lone = new MemoryBackend()
  await lone.connect()
  const history = await openChatHistory({
    primary: new MemoryBackend(),
    backup: lone,
    wal: 'memory:',
    reconcile: 'on-demand',
    read: { type: 'primary-first', config: { treatEmptyAsFailure: true } },
  } as Options)
  onTestFinished(() => history.close())
  // Both are known to hold the same, so that the primary alone is asked.
  await history.store.reconcile()
  await lone.set('only here', 1)
  await history.store.set('there', 2)
  expect({ ...(await history.store.mget(['there', 'only here', 'no'])) }).toEqual({
    there: 2,
    'only here': 1,
  })
})

test('entries pages through keys with values and passes those over that hold a list', async () => {
  const { store } = await open()
  await fill(store)
  for (const key of KEYS.slice(0, 300)) {
    if (Number(key.slice(2)) % 3 === 0) await store.delete(key)
    if (Number(key.slice(2)) % 3 === 0) await store.append(key, 'item')
  }
  const wanted = KEYS.filter((_, i) => i >= 300 || i % 3 !== 0)
  const seen: string[] = []
  for (let after: string | undefined; ;) {
    const page = await store.entries<{ key: string }>({
      prefix: 'k/',
      limit: 70,
      ...(after !== undefined && { after }),
    })
    expect(page.complete).toBe(true)
    for (const { key, value } of page.entries) expect(value).toEqual({ key })
    seen.push(...page.entries.map(({ key }) => key))
    after = seen.at(-1)
    if (page.done) break
    expect(page.entries).toHaveLength(70)
  }
  expect(seen).toEqual(wanted)
})

test('entries goes through keys without values in few calls, however short its pages are', async () => {
  const { store, primary } = await open()
  const lists = KEYS.slice(0, 500)
  await Promise.all(lists.map((key) => store.append(key, 'item')))
  await store.mset({ 'k/a': 1, 'k/b': 2, 'k/c': 3 })
  forget(primary)
  const first = await store.entries({ prefix: 'k/', limit: 1 })
  expect(first).toEqual({ entries: [{ key: 'k/a', value: 1 }], done: false, complete: true })
  expect(primary.calls.get('readRegisters')!).toBeLessThan(15)
  const rest = await store.entries({ prefix: 'k/', limit: 2, after: 'k/a' })
  expect(rest.entries.map(({ key }) => key)).toEqual(['k/b', 'k/c'])
  expect(await store.entries({ prefix: 'k/', limit: 1, after: 'k/c' })).toMatchObject({
    entries: [],
    done: true,
  })
})

test('readMany answers in the order of its queries, and refuses all for one that is bad', async () => {
  const { store, primary } = await open()
  for (let i = 0; i < 50; i++) await store.append(`list ${i}`, i)
  const queries = Array.from({ length: 50 }, (_, i) => ({
    key: `list ${49 - i}`,
    limit: 1,
    order: 'newest' as const,
  }))
  const pages = await store.readMany(queries)
  expect(pages.map(({ items }) => JSON.parse(items[0]!.appended!) as number)).toEqual(
    Array.from({ length: 50 }, (_, i) => 49 - i),
  )
  forget(primary)
  await expect(
    store.readMany([...queries, { key: 'a', limit: 0, order: 'newest' }]),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(primary.calls.get('readItems')).toBeUndefined()
  expect(await store.readMany([])).toEqual([])
})

test('getItems gives values with their ids, places and times', async () => {
  const { store } = await open()
  const before = Date.now()
  await store.appendItems('l', [{ id: 'own', value: { a: 1 } }, { value: 'two' }])
  const { items, done } = await store.getItems<unknown>({ key: 'l', limit: 10, order: 'oldest' })
  expect(done).toBe(true)
  expect(items.map(({ value }) => value)).toEqual([{ a: 1 }, 'two'])
  expect(items[0]!.id).toBe('own')
  expect(items[0]!.savedAt).toBeGreaterThanOrEqual(before - 5)
  const next = await store.getItems({
    key: 'l',
    limit: 10,
    order: 'oldest',
    after: items[0]!.position,
  })
  expect(next.items.map(({ value }) => value)).toEqual(['two'])
  await store.removeItem('l', 'own', items[0]!.position)
  expect((await store.getItemsById('l', ['own', items[1]!.id, 'no'])).items).toHaveLength(1)
})

test('deleteMany and deletePrefix remove in groups, go on where they stopped, and take no more', async () => {
  const { store, primary } = await open()
  await fill(store)
  await store.append('k/list', 'item')
  await store.set('kept', 1)
  forget(primary)
  expect(await store.deleteMany([...KEYS.slice(0, 600), KEYS[0]!])).toEqual({
    deleted: 600,
    done: true,
  })
  expect(primary.calls.get('apply')).toBe(2)
  expect(await store.deleteMany([])).toEqual({ deleted: 0, done: true })
  expect(await store.deletePrefix('k/', { maxKeys: 200 })).toEqual({ deleted: 200, done: false })
  expect(await store.deletePrefix('k/')).toEqual({ deleted: 401, done: true })
  expect(await store.deletePrefix('k/')).toEqual({ deleted: 0, done: true })
  expect(await store.list('')).toEqual(['kept'])
  for (const prefix of ['', 'everthread/erasures/']) {
    await expect(store.deletePrefix(prefix)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
})

test('deletePrefix that breaks off is called again', async () => {
  const { store, primary, backup } = await open()
  await fill(store)
  let groups = 0
  primary.onCall((name) => {
    if (name === 'apply' && ++groups === 2) {
      primary.setMode('refused')
      backup.setMode('refused')
    }
  })
  await store.deletePrefix('k/').catch(() => {})
  primary.setMode('up')
  backup.setMode('up')
  await store.flushWAL()
  await store.deletePrefix('k/')
  expect(await store.list('k/')).toEqual([])
})
