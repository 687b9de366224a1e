// Goal: conditions, and changes of items, see what reads see: what has expired is not there, whether it is removed by
// then or not; and what a group writes may expire. Method: stores in memory whose clock stands still until it is told
// to move; some with encryption, or on a database that judges groups about one key.
import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { S3Backend } from '../../src/backend/s3/index.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import {
  openChatHistory,
  type ChatHistoryOptions,
  type StrategicStorageManager,
} from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { testBucket } from '../support/s3-bucket.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

interface Rig {
  readonly env: VirtualEnv
  readonly primary: FaultyBackend
  readonly store: StrategicStorageManager
  readonly open: () => Promise<StrategicStorageManager>
  /** The code, if it fails, or whether each change changed something. */
  readonly write: (
    ...given: Parameters<StrategicStorageManager['write']>
  ) => Promise<string | readonly boolean[]>
}

async function rig(options: ChatHistoryOptions = {}): Promise<Rig> {
  const env = virtualEnv()
  const primary = faultyBackend(new DurableMemoryBackend(env))
  const backup = faultyBackend(new DurableMemoryBackend(env))
  const open = async (): Promise<StrategicStorageManager> => {
    const history = await env.drive(
      openChatHistory({ env, primary, backup, wal: 'memory:', ...options }),
    )
    onTestFinished(() => env.drive(history.close()))
    return history.store
  }
  const store = await open()
  const write: Rig['write'] = async (...given) => {
    return await env.drive(store.write(...given)).then(
      ({ results }) => results.map(({ changed }) => changed),
      (error: unknown) => (error as { readonly code: string }).code,
    )
  }
  return { env, primary, store, open, write }
}

const ENCRYPTED = { encryption: { keys: [{ id: 'k1', secret: randomBytes(32) }] } }

test.each<readonly [string, ChatHistoryOptions]>([
  ['plain', {}],
  ['encrypted', ENCRYPTED],
])('%s: a value that has expired is absent for a condition', async (_name, options) => {
  const { env, store, write } = await rig(options)
  const lock = { kind: 'set', key: 'lock', value: 'ann' } as const
  const absent = { if: [{ key: 'lock', absent: true }] } as const
  await env.drive(store.set('lock', 'bob', { expiresAt: env.now() + MINUTE }))
  expect(await write([lock], absent)).toBe('CONFLICT')
  await env.advance(MINUTE)
  expect(await env.drive(store.getEntry('lock'))).toBeUndefined()
  expect(await write([lock], absent)).toEqual([true])
  expect(await env.drive(store.get('lock'))).toBe('ann')
  const late = env.drive(store.write([lock], absent))
  await expect(late).rejects.toThrow('if[0] does not hold (value of "lock" absent)')
})

test('of many who want what has expired one gets it', async () => {
  const { env, store, open } = await rig()
  const stores = [store, await open()]
  await env.drive(store.set('lock', 'old', { expiresAt: env.now() - 1 }))
  const outcomes = await env.drive(
    Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => {
        const expiresAt = env.now() + MINUTE
        const change = { kind: 'set', key: 'lock', value: i, expiresAt } as const
        return stores[i % 2]!.write([change], { if: [{ key: 'lock', absent: true }] })
      }),
    ),
  )
  const won = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
  expect(won).toHaveLength(1)
  expect(await env.drive(store.get('lock'))).toBe(won[0])
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'CONFLICT' })
  }
})

test('an item that has expired is absent, and not the last one', async () => {
  const { env, store, write } = await rig()
  const expiresAt = env.now() + MINUTE
  const { operations } = await env.drive(
    store.appendItems('l', [{ value: 1 }, { id: 'x', value: 2, expiresAt }]),
  )
  await env.drive(store.appendItems('all', [{ value: 1, expiresAt }]))
  const positions = operations.map((each) => (each as { readonly position: Stamp }).position)
  const note = { kind: 'set', key: 'note', value: 1 } as const
  const conditions = [
    { key: 'l', id: 'x', absent: true },
    { key: 'l', last: positions[0]! },
    { key: 'all', last: null },
  ] as const
  for (const condition of conditions) {
    expect(await write([note], { if: [condition] })).toBe('CONFLICT')
  }
  await env.advance(MINUTE)
  for (const condition of conditions) {
    expect(await write([note], { if: [condition] })).toEqual([true])
  }
  expect(await write([note], { if: conditions })).toEqual([true])
  expect(await write([note], { if: [{ key: 'l', last: null }] })).toBe('CONFLICT')
  await env.drive(store.appendItems('l', [{ value: 3 }]))
  expect(await write([note], { if: [{ key: 'l', last: positions[0]! }] })).toBe('CONFLICT')
})

test('the last item may lie behind more expired ones than a page has', async () => {
  const { env, store, write } = await rig()
  const expiresAt = env.now() - 1
  const { operations } = await env.drive(store.appendItems('l', [{ value: 'stays' }]))
  const { position } = operations[0] as { readonly position: Stamp }
  for (let i = 0; i < 3; i++) {
    const items = Array.from({ length: 400 }, () => ({ value: i, expiresAt }))
    await env.drive(store.appendItems('l', items))
  }
  const next = { kind: 'append', key: 'l', value: 'next' } as const
  expect(await write([next], { if: [{ key: 'l', last: position }] })).toEqual([true])
  expect(await write([next], { if: [{ key: 'l', last: position }] })).toBe('CONFLICT')
})

test('an id of an expired item is taken, before its removal as after it', async () => {
  const { env, store, write } = await rig()
  const expiresAt = env.now() - 2 * HOUR
  const item = { id: 'x', value: 1, expiresAt }
  await env.drive(store.appendItems('l', [item, { value: 'stays' }]))
  const x = { key: 'l', id: 'x' } as const
  for (let i = 0; i < 2; i++) {
    expect(await write([{ kind: 'put', ...x, value: 2 }])).toBe('CONFLICT')
    expect(await write([{ kind: 'addIfAbsent', ...x, value: 2 }])).toBe('CONFLICT')
    expect(await write([{ kind: 'append', ...x, value: 2 }])).toBe('CONFLICT')
    expect(await write([{ kind: 'remove', ...x }])).toEqual([false])
    expect((await env.drive(store.removeExpired())).items).toBe(1 - i)
  }
  await env.drive(store.delete('l'))
  expect(await write([{ kind: 'put', ...x, value: 2 }])).toEqual([true])
})

test('what a group writes may expire, and is removed', async () => {
  const { env, store, primary } = await rig()
  const expiresAt = env.now() + MINUTE
  const { results, operations } = await env.drive(
    store.write(
      [
        { kind: 'set', key: 'lock', value: 1, expiresAt },
        { kind: 'append', key: 'l', value: 'a', expiresAt },
        { kind: 'append', key: 'l', id: 'own', value: 'b', expiresAt },
        { kind: 'put', key: 'l', id: 'put', value: 'c', expiresAt },
        { kind: 'addIfAbsent', key: 'l', id: 'add', value: 'd', expiresAt },
        { kind: 'set', key: 'stays', value: 1 },
      ],
      { if: [{ key: 'lock', absent: true }] },
    ),
  )
  expect(results).toHaveLength(6)
  expect(operations).toHaveLength(6)
  expect(await env.drive(store.getRange('l', 0, 9))).toEqual(['a', 'b', 'c', 'd'])
  await env.drive(store.write([{ kind: 'put', key: 'l', id: 'put', value: 'stays' }]))
  await env.advance(MINUTE)
  expect(await env.drive(store.get('lock'))).toBeUndefined()
  expect(await env.drive(store.list('l'))).toEqual(['l'])
  expect((await env.drive(store.countItems('l'))).count).toBe(1)
  await env.advance(3 * HOUR)
  await env.drive(store.removeExpired())
  expect((await primary.readRegister('lock')).register).toBeUndefined()
  expect((await primary.countItems('l')).count).toBe(1)
  expect(await env.drive(store.list('everthread/expires/of/'))).toEqual([])
})

test('a lock that is prolonged, and given back', async () => {
  const { env, store, write } = await rig()
  const set = (value: string, ms: number) =>
    ({ kind: 'set', key: 'lock', value, expiresAt: env.now() + ms }) as const
  const taken = await env.drive(
    store.write([set('ann', MINUTE)], { if: [{ key: 'lock', absent: true }] }),
  )
  const longer = await env.drive(
    store.write([set('ann', 2 * MINUTE)], {
      if: [{ key: 'lock', stamp: taken.results[0]!.stamp! }],
    }),
  )
  await env.advance(MINUTE)
  expect(await write([set('bob', MINUTE)], { if: [{ key: 'lock', absent: true }] })).toBe(
    'CONFLICT',
  )
  const { stamp } = longer.results[0]!
  expect(
    await write([{ kind: 'delete', key: 'lock' }], { if: [{ key: 'lock', stamp: stamp! }] }),
  ).toEqual([true])
  expect(await write([set('bob', MINUTE)], { if: [{ key: 'lock', absent: true }] })).toEqual([true])
  // The stamp still names it when its time is over, for as long as nobody has set it anew.
  const bob = await env.drive(store.getEntry('lock'))
  await env.advance(MINUTE)
  expect(await write([set('bob', MINUTE)], { if: [{ key: 'lock', stamp: bob!.stamp }] })).toEqual([
    true,
  ])
})

test('what cannot be kept is refused before any effect', async () => {
  const { write } = await rig()
  const change = { kind: 'set', key: 'k', value: 1 } as const
  expect(await write([{ ...change, expiresAt: -1 }])).toBe('INVALID_ARGUMENT')
  expect(await write([{ ...change, expiresAt: new Date() as never }])).toBe('INVALID_ARGUMENT')
  expect(await write([{ ...change, key: 'k'.repeat(1_010), expiresAt: 1 }])).toBe(
    'INVALID_ARGUMENT',
  )
  expect(await write([{ kind: 'delete', key: 'k', expiresAt: 1 } as never])).toBe(
    'INVALID_ARGUMENT',
  )
  const many = (length: number) =>
    Array.from({ length }, (_, i) => ({ ...change, key: `k/${i}`, expiresAt: 2 ** 48 - 1 }))
  expect(await write(many(301))).toBe('INVALID_ARGUMENT')
  expect(await write(many(300))).toHaveLength(300)
})

test('a database that judges groups about one key takes what expires, too', async () => {
  const bucket = await testBucket()
  const primary = new S3Backend(bucket.options)
  const history = await openChatHistory({ primary, wal: 'memory:', logger: false })
  onTestFinished(() => history.close())
  const { store } = history
  const set = (value: string, ms: number) => {
    return store.write([{ kind: 'set', key: 'lock', value, expiresAt: store.now() + ms }], {
      if: [{ key: 'lock', absent: true }],
    })
  }
  await set('ann', 300)
  await expect(set('bob', 60_000)).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  expect(await store.list('everthread/expires/of/')).toEqual(['everthread/expires/of/lock'])
  await eventually(async () => expect((await set('bob', 60_000)).results[0]!.changed).toBe(true))
  expect(await store.get('lock')).toBe('bob')
  const several = [
    { kind: 'set', key: 'a', value: 1 },
    { kind: 'set', key: 'b', value: 1 },
  ] as const
  const call = store.write(several, { if: [{ key: 'a', absent: true }] })
  await expect(call).rejects.toMatchObject({ code: 'UNSUPPORTED', effect: 'none' })
})
