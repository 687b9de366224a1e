// Goal: what has expired is in no read from its time on, goes from both databases later, and takes nothing along
// that was set anew. Method: stores in memory whose clock stands still until it is told to move.
import { expect, onTestFinished, test } from 'vitest'
import {
  openChatHistory,
  type ChatHistoryOptions,
  StrategicStorageManager,
  StrategyFactory,
} from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'

const HOUR = 3_600_000
const MINUTE = 60_000
/** So long ago that the pass removes it at once. */
const PAST = 2 * HOUR

interface Rig {
  readonly env: VirtualEnv
  readonly places: readonly [DurableMemoryBackend, DurableMemoryBackend]
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly open: (options?: ChatHistoryOptions) => Promise<StrategicStorageManager>
}

function rig(): Rig {
  const env = virtualEnv()
  const places = [new DurableMemoryBackend(env), new DurableMemoryBackend(env)] as const
  const [primary, backup] = [faultyBackend(places[0]), faultyBackend(places[1])]
  const open = async (options: ChatHistoryOptions = {}): Promise<StrategicStorageManager> => {
    const history = await env.drive(
      openChatHistory({ env, primary, backup, wal: 'memory:', ...options }),
    )
    onTestFinished(() => env.drive(history.close()))
    return history.store
  }
  return { env, places, primary, backup, open }
}

/** All reads of a key. */
async function seen(
  env: VirtualEnv,
  store: StrategicStorageManager,
  key: string,
): Promise<unknown> {
  const page = await env.drive(store.readItems({ key, limit: 2, order: 'newest' }))
  const oldest = await env.drive(store.getItems({ key, limit: 100, order: 'oldest' }))
  return {
    value: await env.drive(store.get(key)),
    many: (await env.drive(store.mget([key])))[key],
    exists: await env.drive(store.exists(key)),
    listed: (await env.drive(store.list(key))).includes(key),
    entry: (await env.drive(store.entries({ prefix: key, limit: 1 }))).entries[0]?.value,
    count: (await env.drive(store.countItems(key))).count,
    page: page.items.length,
    items: oldest.items.map(({ value }) => value),
    range: await env.drive(store.getRange(key, 0, 100)),
    latest: await env.drive(store.getRange(key, -1, 1)),
  }
}

const NOTHING = {
  value: undefined,
  many: undefined,
  exists: false,
  listed: false,
  entry: undefined,
  count: 0,
  page: 0,
  items: [],
  range: [],
  latest: [],
}

test.each<readonly [string, ChatHistoryOptions]>([
  ['primary-first', {}],
  [
    'cache-enhanced',
    { cache: 'memory:', read: { type: 'cache-enhanced', config: { singleProcess: true } } },
  ],
])(
  '%s: a value is in every read until its time, and in none from then on',
  async (_name, options) => {
    const { env, open } = rig()
    const store = await open(options)
    await env.drive(store.set('k', 'v', { expiresAt: env.now() + MINUTE }))
    const standing = { ...NOTHING, value: 'v', many: 'v', exists: true, listed: true, entry: 'v' }
    expect(await seen(env, store, 'k')).toEqual(standing)
    await env.advance(MINUTE - 1_000)
    expect(await env.drive(store.get('k'))).toBe('v')
    await env.advance(1_000)
    expect(await seen(env, store, 'k')).toEqual(NOTHING)
  },
)

test('items that expire are left out of pages, counts and ranges, and pages stay full', async () => {
  const { env, open } = rig()
  const store = await open()
  const soon = env.now() + MINUTE
  for (let i = 0; i < 30; i++) {
    await env.drive(
      store.appendItems('l', [{ id: `${i}`, value: i, ...(i % 3 !== 0 && { expiresAt: soon }) }]),
    )
  }
  expect((await env.drive(store.countItems('l'))).count).toBe(30)
  await env.advance(MINUTE)
  const left = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
  expect(await seen(env, store, 'l')).toEqual({
    ...NOTHING,
    exists: true,
    listed: true,
    count: 10,
    page: 2,
    items: left,
    range: left,
    latest: [27],
  })
  const query = { key: 'l', limit: 4, order: 'newest' } as const
  const first = await env.drive(store.getItems<number>(query))
  expect([first.items.map(({ value }) => value), first.done]).toEqual([[27, 24, 21, 18], false])
  const before = first.items.at(-1)!.position
  const rest = await env.drive(store.getItems<number>({ ...query, limit: 6, before }))
  expect([rest.items.map(({ value }) => value), rest.done]).toEqual([[15, 12, 9, 6, 3, 0], true])
  expect((await env.drive(store.readItemsById('l', ['0', '1']))).items.map(({ id }) => id)).toEqual(
    ['0'],
  )
})

test('the pass removes it from both databases, with all that stood beside it', async () => {
  const { env, open, places } = rig()
  const store = await open()
  const expiresAt = env.now() - PAST
  await env.drive(store.set('k', 'v', { expiresAt }))
  await env.drive(store.set('stays', 1))
  await env.drive(store.appendItems('l', [{ value: 1, expiresAt }, { value: 2 }]))
  await env.drive(store.set('due later', 1, { expiresAt: env.now() + MINUTE }))
  const report = { values: 1, items: 1, unfinished: 0, ran: true }
  expect(await env.drive(store.removeExpired())).toEqual(report)
  expect(await env.drive(store.removeExpired())).toEqual({ ...report, values: 0, items: 0 })
  expect(await env.drive(store.get('due later'))).toBe(1)
  await env.drive(store.delete('due later'))
  await env.drive(store.flushWAL())
  for (const place of places) {
    expect((await place.readRegister('k')).register).toBeUndefined()
    expect((await place.countItems('l')).count).toBe(1)
    const { keys } = await place.listKeys({ prefix: '', limit: 100 })
    expect(keys.filter((key) => !key.startsWith('everthread/'))).toEqual(['l', 'stays'])
    expect(keys.filter((key) => key.startsWith('everthread/expires/of/'))).toEqual([
      'everthread/expires/of/due later',
    ])
  }
  expect(await env.drive(store.verify())).toMatchObject({ differing: 0 })
})

test('the loop does it by itself', async () => {
  const { env, open, places } = rig()
  const store = await open()
  await env.drive(store.set('k', 'v', { expiresAt: env.now() - PAST }))
  await env.advance(95 * MINUTE)
  for (const place of places) expect((await place.readRegister('k')).register).toBeUndefined()
})

test('what was set anew, with a later time or with none, is not removed', async () => {
  const { env, open } = rig()
  const store = await open()
  const expiresAt = env.now() - PAST
  for (const key of ['later', 'for good', 'edited'])
    await env.drive(store.set(key, 1, { expiresAt }))
  const { ids, operations } = await env.drive(
    store.appendItems('l', [
      { value: 1, expiresAt },
      { value: 2, expiresAt },
    ]),
  )
  await env.drive(store.set('later', 2, { expiresAt: env.now() + 5 * HOUR }))
  await env.drive(store.set('for good', 2))
  await env.drive(store.editItem('l', ids[0]!, operations[0]!.stamp, 'edited'))
  await env.drive(store.removeExpired())
  expect({ ...(await env.drive(store.mget(['later', 'for good', 'edited']))) }).toEqual({
    later: 2,
    'for good': 2,
  })
  expect(await env.drive(store.getRange('l', 0, 9))).toEqual(['edited'])
  expect(await env.drive(store.list(''))).toEqual(['for good', 'l', 'later'])
})

test('what is set anew while the pass looks is not removed', async () => {
  const { env, open, primary } = rig()
  const store = await open()
  await env.drive(store.set('k', 'old', { expiresAt: env.now() - PAST }))
  let isSet = false
  primary.onCall(async (name) => {
    // The pass has read the value, and is about to look whether anything else stands there.
    if (name !== 'readItemsById' || isSet) return
    isSet = true
    await store.set('k', 'new', { expiresAt: env.now() + MINUTE })
  })
  await env.drive(store.removeExpired())
  await env.drive(store.removeExpired())
  expect(isSet).toBe(true)
  expect(await env.drive(store.get('k'))).toBe('new')
  await env.advance(MINUTE)
  expect(await seen(env, store, 'k')).toEqual(NOTHING)
})

test('a list under the key of a value that expires loses nothing', async () => {
  const { env, open } = rig()
  const store = await open()
  await env.drive(store.append('both', 'item'))
  await env.drive(store.set('both', 'v', { expiresAt: env.now() - PAST }))
  await env.drive(store.removeExpired())
  const found = { ...NOTHING, exists: true, listed: true, count: 1, page: 1, items: ['item'] }
  expect(await seen(env, store, 'both')).toEqual({ ...found, range: ['item'], latest: ['item'] })
})

test('a database that is away gets the removal when it is back; nothing is removed unseen', async () => {
  const { env, open, primary, backup, places } = rig()
  const store = await open()
  await env.drive(store.set('k', 'v', { expiresAt: env.now() - PAST }))
  await env.drive(store.flushWAL())
  backup.setMode('refused')
  await env.drive(store.removeExpired()).catch(() => {})
  expect(await seen(env, store, 'k')).toEqual(NOTHING)
  backup.setMode('up')
  primary.setMode('refused')
  await env.advance(MINUTE)
  expect(await env.drive(store.get('k'))).toBeUndefined()
  await env.drive(store.set('past the primary', 1, { expiresAt: env.now() - PAST }))
  primary.setMode('up')
  await env.advance(MINUTE)
  await env.drive(store.removeExpired())
  await env.drive(store.flushWAL())
  for (const place of places) {
    expect((await place.listKeys({ prefix: '', limit: 100 })).keys).toEqual([])
  }
})

test('what could not be looked at is looked at again: nothing stays stored unseen', async () => {
  const { env, open, primary, places } = rig()
  const store = await open()
  const looks = ['value', 'items'] as const
  for (const what of looks) {
    const key = `k/${what}`
    const expiresAt = env.now() - PAST
    if (what === 'value') await env.drive(store.set(key, 'v', { expiresAt }))
    else await env.drive(store.appendItems(key, [{ value: 'i', expiresAt }, { value: 'stays' }]))
    await env.drive(store.flushWAL())
    let isLate = false
    primary.onCall((name) => {
      // Nothing but the last look at the list is not answered.
      if (name === 'readItemsById') isLate = true
      else if (isLate && name === 'readItems') primary.setMode('refused')
    })
    await env.drive(store.removeExpired())
    expect(isLate).toBe(true)
    primary.onCall(() => {})
    primary.setMode('up')
    await env.advance(MINUTE)
    await env.drive(store.removeExpired())
    await env.drive(store.flushWAL())
    for (const place of places) {
      expect((await place.readRegister(key)).register).toBeUndefined()
      expect((await place.listKeys({ prefix: 'everthread/', limit: 9 })).keys).toEqual([])
    }
  }
})

test('two processes share the passes, and read what the other one lets expire', async () => {
  const { env, open } = rig()
  const one = await open()
  const other = await open()
  const expiresAt = env.now() + MINUTE
  await env.drive(Promise.all([one.set('a', 1, { expiresAt }), other.set('b', 1, { expiresAt })]))
  expect({ ...(await env.drive(other.mget(['a', 'b']))) }).toEqual({ a: 1, b: 1 })
  await env.advance(MINUTE)
  expect({ ...(await env.drive(other.mget(['a', 'b']))) }).toEqual({})
  await env.drive(
    Promise.all([
      one.set('a', 2, { expiresAt: env.now() - PAST }),
      other.set('b', 2, { expiresAt: env.now() - PAST }),
    ]),
  )
  await env.drive(Promise.all([one.removeExpired(), other.removeExpired()]))
  await env.drive(one.removeExpired())
  expect(await env.drive(one.list('everthread/expires/of/'))).toEqual([])
  expect(await env.drive(one.list('everthread/expires/at/'))).toHaveLength(2)
})

test('with one database and a log it is the same', async () => {
  const env = virtualEnv()
  const primary = new DurableMemoryBackend(env)
  const store = new StrategicStorageManager(
    { env, primary: { database: primary } },
    StrategyFactory.createReadStrategy(),
    StrategyFactory.createWriteStrategy(),
    StrategyFactory.createHealthManager('simple'),
    StrategyFactory.createWALManager('in-memory'),
  )
  onTestFinished(() => env.drive(store.disconnect()))
  await env.drive(store.connect())
  await env.drive(store.set('k', 'v', { expiresAt: env.now() - PAST }))
  expect(await env.drive(store.get('k'))).toBeUndefined()
  expect((await env.drive(store.removeExpired())).values).toBe(1)
  expect((await primary.listKeys({ prefix: '', limit: 9 })).keys).toEqual([])
})

test('what cannot be kept is refused before any effect', async () => {
  const { env, open, primary } = rig()
  const store = await open()
  const long = 'k'.repeat(1_010)
  ;(primary.calls as Map<string, number>).clear()
  for (const call of [
    () => store.set('k', 1, { expiresAt: -1 }),
    () => store.set('k', 1, { expiresAt: 1.5 }),
    () => store.set('k', 1, { expiresAt: 2 ** 48 }),
    () => store.set('k', 1, { expiresAt: new Date() as never }),
    () => store.set('k', 1, { expires: 1 } as never),
    () => store.set(long, 1, { expiresAt: 1 }),
    () => store.appendItems('l', [{ value: 1 }, { value: 1, expiresAt: Number.NaN }]),
    () => store.appendItems(long, [{ value: 1, expiresAt: 1 }]),
    () =>
      store.appendItems(
        'l',
        Array.from({ length: 401 }, () => ({ value: 1, expiresAt: 1 })),
      ),
  ]) {
    await expect(env.drive(call())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      effect: 'none',
    })
  }
  expect(primary.calls.get('apply')).toBeUndefined()
  // The store's own keys may be as long as any.
  await env.drive(store.set(long, 1))
})

test('an append with an id and a time is stored once, and another time is other content', async () => {
  const { env, open } = rig()
  const store = await open()
  const item = { id: 'own', value: 1, expiresAt: env.now() + MINUTE }
  await env.drive(store.appendItems('l', [item]))
  await env.drive(store.appendItems('l', [item]))
  expect((await env.drive(store.countItems('l'))).count).toBe(1)
  const other = { ...item, expiresAt: item.expiresAt + 1 }
  await expect(env.drive(store.appendItems('l', [other]))).rejects.toMatchObject({
    code: 'CONFLICT',
  })
})

test('lists of many keys, some of which have expired, are whole and in order', async () => {
  const { env, open } = rig()
  const store = await open()
  const keys = Array.from({ length: 60 }, (_, i) => `k/${String(i).padStart(2, '0')}`)
  const expiresAt = env.now() + MINUTE
  for (const [i, key] of keys.entries()) {
    await env.drive(store.set(key, i, i % 4 === 0 ? undefined : { expiresAt }))
  }
  await env.advance(MINUTE)
  const wanted = keys.filter((_, i) => i % 4 === 0)
  expect(await env.drive(store.list('k/'))).toEqual(wanted)
  for (const limit of [1, 2, 7, 59, 60, 61]) {
    const listed: string[] = []
    for (let after: string | undefined; ; after = listed.at(-1)) {
      const query = { prefix: 'k/', limit, ...(after !== undefined && { after }) }
      const page = await env.drive(store.listKeys(query))
      listed.push(...page.keys)
      if (page.done) break
      expect(page.keys.length).toBeGreaterThan(0)
    }
    expect(listed).toEqual(wanted)
  }
})
