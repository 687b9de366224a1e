// Goal: what the base layer is handed is checked and encoded in one way before any effect, and a
// caller's mistake is nobody's outage. Method: a store on backends that count their calls.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type StrategicStorageManager } from '../../src/index.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { encodeJson } from '../../src/core/json.ts'
import { VALUE_BYTES_MAX } from '../../src/core/limits.ts'
import { itemValue } from '../../src/core/merge.ts'
import { STAMP_MIN, type Stamp } from '../../src/core/stamp.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

const STAMP = '019ac8a0-0b12-7000-8abc-0123456789ab' as Stamp
const LAST = 'ffffffff-ffff-7fff-bfff-ffffffffffff' as Stamp

async function open(): Promise<{
  readonly store: StrategicStorageManager
  readonly places: readonly FaultyBackend[]
}> {
  const places = [faultyBackend(new MemoryBackend()), faultyBackend(new MemoryBackend())] as const
  const [primary, backup] = places
  const history = await openChatHistory({ primary, backup, wal: 'memory:' })
  onTestFinished(() => history.close())
  return { store: history.store, places }
}

test.each<readonly [string, unknown]>([
  ['a number', 5],
  ['text that is not JSON', 'not json'],
  ['text that is JSON', '{"a":1}'],
  ['NUL and a lone surrogate', 'a\0\ud800'],
  ['null', null],
  ['an object', { a: [1, { b: '\0' }] }],
])('%s comes back as it was, however it is handed in', async (_what, value) => {
  const { store } = await open()
  await store.set('value', value)
  expect(await store.get('value')).toEqual(value)
  await store.append('list', value)
  const { ids, operations } = await store.appendItems('list', [{ id: 'own', value }, { value }])
  expect(ids).toHaveLength(2)
  const own = operations[0]!
  await store.editItem('list', 'own', own.stamp, [value])
  expect(await store.getRange('list', 0, 10)).toEqual([value, [value], value])
  const { items } = await store.readItemsById('list', ['own'])
  expect(JSON.parse(itemValue(items[0]!)!)).toEqual([value])
})

const BAD_VALUES = [undefined, () => 1, Number.NaN, [new Map()], 'x'.repeat(VALUE_BYTES_MAX)]

test('what cannot come back, and what is too long, is refused before any effect', async () => {
  const { store, places } = await open()
  for (const value of BAD_VALUES) {
    for (const call of [
      store.set('k', value),
      store.mset([['k', value]]),
      store.append('k', value),
      store.appendItems('k', [{ value: 1 }, { id: 'a', value }]),
      store.editItem('k', 'a', STAMP, value),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
    }
  }
  await expect(store.appendItems('k', [{ value: 1 }, { value: [undefined] }])).rejects.toThrow(
    'items[1].value[0] must be JSON, got undefined',
  )
  for (const place of places) expect(place.calls.get('apply') ?? 0).toBe(0)
  expect(store.status().places.backup.pending).toBe(0)
  const { primary, backup } = store.getHealthStatus().backends
  expect([primary, backup].map(({ failures }) => failures)).toEqual([0, 0])
})

test('a key, an id and a position are checked by every call that takes them', async () => {
  const { store, places } = await open()
  const badKeys = [undefined, null, 5, '', 'a\0', '\ud800', 'x'.repeat(1025)] as string[]
  const badIds = [null, 5, '', 'a\0', '\udfff', 'x'.repeat(1_025)] as string[]
  const badPositions = [undefined, null, 5, '', 'x', STAMP.toUpperCase(), LAST] as Stamp[]
  const calls = [
    ...badKeys.flatMap((key) => [
      () => store.set(key, 1),
      () => store.append(key, 1),
      () => store.appendItems(key, [{ value: 1 }]),
      () => store.editItem(key, 'a', STAMP, 1),
      () => store.removeItem(key, 'a', STAMP),
      () => store.deleteThrough(key, STAMP),
      () => store.delete(key),
    ]),
    ...badIds.flatMap((id) => [
      () => store.appendItems('k', [{ id, value: 1 }]),
      () => store.editItem('k', id, STAMP, 1),
      () => store.removeItem('k', id, STAMP),
    ]),
    ...badPositions.flatMap((position) => [
      () => store.editItem('k', 'a', position, 1),
      () => store.removeItem('k', 'a', position),
      () => store.deleteThrough('k', position),
    ]),
    () => store.editItem('k', 'a', STAMP_MIN, 1),
  ]
  for (const call of calls) {
    await expect(call()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  }
  for (const place of places) expect(place.calls.get('apply') ?? 0).toBe(0)
})

test('what a driver refuses of its arguments counts against no place', async () => {
  const { store, places } = await open()
  for (const place of places) {
    place.onCall((operation) => {
      if (operation === 'apply') Buffer.byteLength(5 as never)
    })
  }
  for (let i = 0; i < 3; i++) await store.set('k', i).catch(() => {})
  const { primary, backup } = store.getHealthStatus().backends
  expect(primary).toMatchObject({ failures: 0, circuit: 'closed' })
  expect(backup).toMatchObject({ failures: 0, circuit: 'closed' })
})

test('groups of nothing are no writes, and resolve', async () => {
  const { store, places } = await open()
  const nothing = { operations: [], copies: [], durable: false }
  expect(await store.mset([])).toEqual(nothing)
  expect(await store.mset(new Map())).toEqual(nothing)
  expect(await store.appendItems('k', [])).toEqual({ ...nothing, ids: [] })
  expect(await store.mget([])).toEqual({})
  expect((await store.readItemsById('k', [])).items).toEqual([])
  for (const place of places) expect(place.calls.get('apply') ?? 0).toBe(0)
  await expect(store.appendItems('', [])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('a row with a stamp that no clock can follow is not copied to the other database', async () => {
  const primary = new MemoryBackend()
  const backup = new MemoryBackend()
  await primary.connect()
  await primary.apply([{ kind: 'set', key: 'k', stamp: LAST, value: encodeJson('imported') }])
  const history = await openChatHistory({ primary, backup, wal: 'memory:', reconcile: 'on-demand' })
  onTestFinished(() => history.close())
  expect(await history.reconcile()).toMatchObject({ copied: 0, rejected: 1 })
  expect(await backup.readRegister('k')).not.toHaveProperty('register')
  await history.store.set('other', 1)
  expect(await history.store.get('other')).toBe(1)
})

test('a createdAt that is no time is refused, and one that is comes back as it was written', async () => {
  const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  onTestFinished(() => history.close())
  for (const createdAt of ['no', '', '2026-01-01', 5, new Date(0), {}] as string[]) {
    const message = { role: 'user', content: 'x', createdAt } as const
    const refusal = expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^message\.createdAt must be a time of RFC 3339, got /),
    })
    await expect(history.saveMessage('c', message)).rejects.toEqual(refusal)
    await expect(history.updateMessage('c', 'a', message)).rejects.toEqual(refusal)
  }
  const createdAt = '2026-02-28T23:59:59.1+02:00'
  const { id } = await history.saveMessage('c', { role: 'user', content: 'x', createdAt })
  expect(await history.getMessage('c', id)).toMatchObject({ createdAt })
  const old = { role: 'user', content: 'x', createdAt: 'long ago' }
  await history.store.appendItems('chat/0::c', [{ id: 'old', value: old }])
  await history.updateMessage('c', 'old', { role: 'user', content: 'y' })
  expect(await history.getMessage('c', 'old')).toEqual({ ...old, id: 'old', content: 'y' })
})

test('saving no messages resolves with no receipts, and a store that is closed still says so', async () => {
  const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  expect(await history.saveMessages('c', [])).toEqual([])
  await expect(history.saveMessages('', [])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await history.close()
  await expect(history.saveMessages('c', [])).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(history.store.mget([])).rejects.toMatchObject({ code: 'CLOSED' })
})
