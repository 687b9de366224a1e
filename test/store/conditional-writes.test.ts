// Goal: a group of changes over several keys happens whole or not at all, and only if what its conditions say stands
// in the one database that decides, also while a place is out, an answer is lost, or another process wrote past the
// primary. Method: stores on databases in memory that can be made to fail.
import { expect, onTestFinished, test } from 'vitest'
import { encodeJson } from '../../src/core/json.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import { itemStamp } from '../../src/core.ts'
import { openChatHistory, type StrategicStorageManager } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

interface Rig {
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly open: (more?: object) => Promise<StrategicStorageManager>
}

function rig(): Rig {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  return {
    primary,
    backup,
    open: async (more = {}) => {
      const write = { type: 'idempotent', config: { timeout: 500, maxRetries: 0 } } as const
      const history = await openChatHistory({ primary, backup, wal: 'memory:', write, ...more })
      onTestFinished(() => history.close())
      await history.store.reconcile()
      return history.store
    },
  }
}

async function texts(store: StrategicStorageManager, key: string): Promise<readonly unknown[]> {
  return await store.getRange(key, 0, 100)
}

test('a value that is read, changed and set under its stamp', async () => {
  const { open } = rig()
  const store = await open()
  expect(await store.getEntry('n')).toBeUndefined()
  const made = await store.write([{ kind: 'set', key: 'n', value: 1 }], {
    if: [{ key: 'n', absent: true }],
  })
  const entry = await store.getEntry<number>('n')
  expect(entry).toEqual({ value: 1, stamp: made.results[0]!.stamp })
  expect(made.copies.length).toBeGreaterThanOrEqual(2)
  const change = { kind: 'set', key: 'n', value: 2 } as const
  const next = await store.write([change], { if: [{ key: 'n', stamp: entry!.stamp }] })
  const late = store.write([change], { if: [{ key: 'n', stamp: entry!.stamp }] })
  await expect(late).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  const { stamp } = next.results[0]!
  await expect(late).rejects.toThrow(
    `if[0] does not hold (value of "n" with stamp ${entry!.stamp}): ${stamp} stands`,
  )
  expect(await store.get('n')).toBe(2)
})

test('each change, and what it says stands after it', async () => {
  const { open } = rig()
  const store = await open()
  const { results } = await store.write([
    { kind: 'set', key: 'a', value: 1 },
    { kind: 'append', key: 'list', value: 'first' },
    { kind: 'append', key: 'list', id: 'own', value: 'second' },
    { kind: 'put', key: 'list', id: 'up', value: 'third' },
    { kind: 'addIfAbsent', key: 'list', id: 'add', value: 'fourth' },
    { kind: 'remove', key: 'list', id: 'nobody' },
  ])
  expect(results.map(({ changed }) => changed)).toEqual([true, true, true, true, true, false])
  expect(await texts(store, 'list')).toEqual(['first', 'second', 'third', 'fourth'])
  const again = await store.write([
    { kind: 'append', key: 'list', id: 'own', value: 'second' },
    { kind: 'put', key: 'list', id: 'up', value: 'replaced' },
    { kind: 'addIfAbsent', key: 'list', id: 'add', value: 'other' },
    { kind: 'remove', key: 'list', id: results[1]!.id! },
    { kind: 'delete', key: 'a' },
  ])
  expect(again.results.map(({ changed }) => changed)).toEqual([false, true, false, true, true])
  expect(again.results[0]).toEqual({ ...results[2], changed: false })
  expect(again.results[1]!.position).toBe(results[3]!.position)
  expect(again.results[2]!.stamp).toBe(results[4]!.stamp)
  expect(await texts(store, 'list')).toEqual(['second', 'replaced', 'fourth'])
  expect(await store.get('a')).toBeUndefined()
  const { items } = await store.readItemsById('list', ['up'])
  expect(itemStamp(items[0]!)).toBe(again.results[1]!.stamp)
})

test('an id that stands with other content, or was removed, is a CONFLICT and nothing happens', async () => {
  const { open } = rig()
  const store = await open()
  await store.appendItems('list', [
    { id: 'own', value: 1 },
    { id: 'gone', value: 2 },
  ])
  await store.write([{ kind: 'remove', key: 'list', id: 'gone' }])
  for (const change of [
    { kind: 'append', key: 'list', id: 'own', value: 2 },
    { kind: 'append', key: 'list', id: 'gone', value: 2 },
    { kind: 'put', key: 'list', id: 'gone', value: 2 },
    { kind: 'addIfAbsent', key: 'list', id: 'gone', value: 2 },
  ] as const) {
    const call = store.write([{ kind: 'set', key: 'other', value: 1 }, change])
    await expect(call).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  }
  expect(await store.get('other')).toBeUndefined()
})

test('upserts of one item at the same moment: all are written, one after another', async () => {
  const { open } = rig()
  const stores = [await open(), await open()]
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, async (_, i) => {
      return await stores[i % 2]!.write([{ kind: 'put', key: 'list', id: 'up', value: i }])
    }),
  )
  const stamps = outcomes.map(({ results }) => results[0]!.stamp!)
  expect(new Set(stamps).size).toBe(12)
  const { items } = await stores[0]!.readItemsById('list', ['up'])
  const latest = stamps.toSorted().at(-1)!
  expect(itemStamp(items[0]!)).toBe(latest)
  expect(await texts(stores[0]!, 'list')).toEqual([stamps.indexOf(latest)])
})

test('conditions over several keys: the first that does not hold is named', async () => {
  const { open } = rig()
  const store = await open()
  await store.append('list', 'first')
  const call = store.write([{ kind: 'set', key: 'a', value: 1 }], {
    if: [
      { key: 'a', absent: true },
      { key: 'list', last: null },
    ],
  })
  await expect(call).rejects.toThrow('if[1] does not hold (no item in "list")')
  const { items } = await store.readItems({ key: 'list', limit: 1, order: 'newest' })
  await store.write([{ kind: 'append', key: 'list', value: 'second' }], {
    if: [{ key: 'list', last: items[0]!.position }],
  })
  expect(await texts(store, 'list')).toEqual(['first', 'second'])
})

test('of many writers of one key each increment counts once', async () => {
  const { open } = rig()
  const stores = [await open(), await open()]
  await stores[0]!.set('n', 0)
  const writers = Array.from({ length: 16 }, async (_, i) => {
    const store = stores[i % 2]!
    for (let done = 0; done < 5;) {
      const entry = (await store.getEntry<number>('n'))!
      const change = { kind: 'set', key: 'n', value: entry.value + 1 } as const
      await store.write([change], { if: [{ key: 'n', stamp: entry.stamp }] }).then(
        () => done++,
        (error: { code: string; effect: string }) => {
          expect(error).toMatchObject({ code: 'CONFLICT', effect: 'none' })
        },
      )
    }
  })
  await Promise.all(writers)
  expect(await stores[1]!.get('n')).toBe(80)
})

test('while the primary is out the backup decides, or nobody', async () => {
  const { primary, backup, open } = rig()
  const store = await open()
  const { results } = await store.write([{ kind: 'set', key: 'n', value: 1 }])
  primary.setMode('refused')
  const options = { if: [{ key: 'n', stamp: results[0]!.stamp! }] } as const
  const change = { kind: 'set', key: 'n', value: 2 } as const
  await expect(store.write([change], { ...options, decide: 'primary' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    effect: 'none',
  })
  // The backup had not been sent the first value yet: what is pending for it is brought first.
  const { copies } = await store.write([change], options)
  expect(copies).toContain('backup')
  await expect(store.write([change], options)).rejects.toMatchObject({
    code: 'CONFLICT',
    effect: 'none',
  })
  primary.setMode('up')
  await store.flushWAL()
  for (const backend of [primary, backup]) {
    expect((await backend.readRegister('n')).register?.value).toBe('2')
  }
})

test('a primary that hangs decides alone where it was told so: nobody else is asked', async () => {
  const { primary, backup, open } = rig()
  const store = await open()
  primary.setMode('hung')
  const applied = backup.calls.get('apply') ?? 0
  const call = store.write([{ kind: 'set', key: 'n', value: 1 }], {
    if: [{ key: 'n', absent: true }],
    decide: 'primary',
  })
  await expect(call).rejects.toMatchObject({ effect: 'unknown' })
  expect(backup.calls.get('apply') ?? 0).toBe(applied)
})

test('what another process wrote past the primary is brought to it before it decides', async () => {
  const { primary, open } = rig()
  const [one, other] = [await open(), await open()]
  const first = await one.write([
    { kind: 'set', key: 'n', value: 1 },
    { kind: 'append', key: 'list', id: 'a', value: 1 },
  ])
  await one.flushWAL()
  const applying = primary.onCall.bind(primary)
  // Out for the first process alone, and for long: it cannot catch up before the other one decides.
  primary.setMode('refused')
  const second = await one.write([
    { kind: 'set', key: 'n', value: 2 },
    { kind: 'put', key: 'list', id: 'a', value: 2 },
    { kind: 'append', key: 'list', value: 3 },
  ])
  let catchUps = 0
  applying((operation) => {
    if (operation === 'apply' && catchUps++ === 0) throw new Error('not yet')
  })
  primary.setMode('up')
  const [n, a, last] = second.results
  const { stamp: n1 } = first.results[0]!
  const { stamp: a1, position } = first.results[1]!
  for (const condition of [
    { key: 'n', stamp: n1! },
    { key: 'list', id: 'a', stamp: a1! },
    { key: 'list', last: position! },
  ]) {
    const call = other.write([{ kind: 'set', key: 'n', value: 'late' }], { if: [condition] })
    await expect(call).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  await other.write([{ kind: 'set', key: 'n', value: 4 }], {
    if: [
      { key: 'n', stamp: n!.stamp! },
      { key: 'list', id: 'a', stamp: a!.stamp! },
      { key: 'list', last: last!.position! },
    ],
    decide: 'primary',
  })
  expect(await other.get('n')).toBe(4)
})

test('an answer that was lost: the group that stands is recognised within the call', async () => {
  const { primary, open } = rig()
  const store = await open()
  let lost = 0
  primary.onCall((operation) => {
    if (operation !== 'apply' || lost++ > 0) return
    // Of this call alone.
    primary.setMode('reset')
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => primary.setMode('up'))))
  })
  const { results } = await store.write([{ kind: 'set', key: 'n', value: 1 }], {
    if: [{ key: 'n', absent: true }],
    decide: 'primary',
  })
  expect(lost).toBeGreaterThan(1)
  expect(await store.getEntry('n')).toEqual({ value: 1, stamp: results[0]!.stamp })
})

test('with both databases out nobody decides, whatever the log would take', async () => {
  const { primary, backup, open } = rig()
  const store = await open()
  primary.setMode('refused')
  backup.setMode('refused')
  const call = store.write([{ kind: 'set', key: 'n', value: 1 }], {
    if: [{ key: 'n', absent: true }],
  })
  await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  expect(store.status().places.primary.pending).toBe(0)
})

test.each(['wal-first', 'dual-write'] as const)('%s: a group is decided first', async (write) => {
  const { primary, open } = rig()
  const store = await open({ write })
  await store.set('n', 1)
  const stale = { key: 'n', absent: true } as const
  // What only the log has is brought to the primary first.
  const call = store.write([{ kind: 'set', key: 'n', value: 2 }], { if: [stale] })
  await expect(call).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  const { stamp } = (await store.getEntry('n'))!
  await store.write([{ kind: 'set', key: 'n', value: 3 }], { if: [{ key: 'n', stamp }] })
  expect((await primary.readRegister('n')).register?.value).toBe('3')
})

test('what the primary has judged is merged in the backup, whatever that lacks', async () => {
  const { primary, backup, open } = rig()
  const store = await open({ write: 'dual-write' })
  const stamp = '019ac8a0-0b12-7000-8abc-0123456789ab' as Stamp
  await primary.apply([{ kind: 'set', key: 'n', stamp, value: encodeJson(1) }])
  const { copies } = await store.write([{ kind: 'set', key: 'n', value: 2 }], {
    if: [{ key: 'n', stamp }],
  })
  expect(copies).toContain('backup')
  expect((await backup.readRegister('n')).register?.value).toBe('2')
})

test('an engine, or a strategy, that cannot judge them is refused before any effect', async () => {
  const { primary, open } = rig()
  const hidden = new Proxy(primary, {
    get: (target, name) =>
      name === 'judgesConditions' ? undefined : (Reflect.get(target, name) as unknown),
  })
  const store = await open({ primary: hidden })
  const call = store.write([{ kind: 'set', key: 'n', value: 1 }], {
    if: [{ key: 'n', absent: true }],
  })
  await expect(call).rejects.toMatchObject({ code: 'UNSUPPORTED', effect: 'none' })
  expect(await store.get('n')).toBeUndefined()
  expect(store.getHealthStatus().backends.primary.failures).toBe(0)
})

test.each<readonly [string, unknown, unknown, string]>([
  ['no changes', [], undefined, 'changes must not be empty'],
  [
    'a kind that is not there',
    [{ kind: 'sett', key: 'k', value: 1 }],
    undefined,
    'changes[0].kind must be',
  ],
  [
    'a field too many',
    [{ kind: 'delete', key: 'k', value: 1 }],
    undefined,
    'changes[0].value is not known',
  ],
  ['no id', [{ kind: 'put', key: 'k', value: 1 }], undefined, 'changes[0].id'],
  ['no value', [{ kind: 'set', key: 'k' }], undefined, 'changes[0].value'],
  [
    'an undefined value',
    [{ kind: 'set', key: 'k', value: undefined }],
    undefined,
    'changes[0].value must be JSON, got undefined',
  ],
  [
    'an undefined key',
    [{ kind: 'delete', key: undefined }],
    undefined,
    'changes[0].key must be a string, got undefined',
  ],
  [
    'the same twice',
    [
      { kind: 'set', key: 'k', value: 1 },
      { kind: 'set', key: 'k', value: 2 },
    ],
    undefined,
    'changes[1] is about the same as another change',
  ],
  [
    'two conditions in one',
    [{ kind: 'delete', key: 'k' }],
    { if: [{ key: 'k', absent: true, last: null }] },
    'if[0] must be one of',
  ],
  [
    'a stamp that is none',
    [{ kind: 'delete', key: 'k' }],
    { if: [{ key: 'k', stamp: 'x' }] },
    'if[0].stamp must be a stamp',
  ],
  [
    'a hole among the changes',
    // oxlint-disable-next-line no-sparse-arrays
    [, { kind: 'delete', key: 'k' }],
    undefined,
    'changes[0] is missing',
  ],
  [
    'a hole among the conditions',
    [{ kind: 'delete', key: 'k' }],
    // oxlint-disable-next-line no-sparse-arrays
    { if: [, { key: 'k', absent: true }] },
    'if[0] is missing',
  ],
  [
    'another decider',
    [{ kind: 'delete', key: 'k' }],
    { decide: 'backup' },
    'decide must be anywhere or primary',
  ],
])('%s is refused by name', async (_what, changes, options, text) => {
  const { primary, open } = rig()
  const store = await open()
  const before = primary.calls.get('apply') ?? 0
  const call = store.write(changes as never, options as never)
  await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  await expect(call).rejects.toThrow(text)
  expect(primary.calls.get('apply') ?? 0).toBe(before)
})

test('a message is replaced under the stamp that a receipt or an entry gave', async () => {
  const { primary, backup } = rig()
  const history = await openChatHistory({ primary, backup, wal: 'memory:' })
  onTestFinished(() => history.close())
  const saved = await history.saveMessage('c', { role: 'user', content: 'one', id: 'm' })
  const entry = (await history.getMessageEntry('c', 'm'))!
  expect(entry.stamp).toBe(saved.stamp)
  expect(entry.message.content).toBe('one')
  const message = { role: 'user', content: 'two' } as const
  const updated = await history.updateMessage('c', 'm', message, { ifStamp: saved.stamp })
  expect(updated.position).toBe(saved.position)
  expect((await history.getMessageEntry('c', 'm'))!.stamp).toBe(updated.stamp)
  const late = history.updateMessage('c', 'm', message, { ifStamp: saved.stamp })
  await expect(late).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  expect(await history.getMessageEntry('c', 'nobody')).toBeUndefined()
})

test('an entry is of one moment: its stamp is not that of a newer message', async () => {
  const { primary, backup } = rig()
  const open = async () => {
    const history = await openChatHistory({ primary, backup, wal: 'memory:', drainTimeout: 50 })
    onTestFinished(() => history.close())
    return history
  }
  const writer = await open()
  const reader = await open()
  await writer.saveMessage('c', { role: 'user', content: 'one', id: 'm' })
  await writer.flush()
  backup.setMode('refused')
  const message = { role: 'user', content: 'two' } as const
  const { stamp } = await writer.updateMessage('c', 'm', message)
  backup.setMode('up')
  let reads = 0
  primary.onCall((name) => {
    // The first read is answered, and nothing after it.
    if (name === 'readItemsById' && reads++ === 1) primary.setMode('refused')
  })
  const entry = (await reader.getMessageEntry('c', 'm'))!
  primary.onCall(() => {})
  primary.setMode('up')
  expect([entry.message.content, entry.stamp === stamp]).toEqual(['two', true])
})
