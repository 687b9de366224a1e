// Goal: the saver does what that of the framework in memory does, and what those on other databases do not: any text
// is kept, of any size, an outage is an error, and what is removed is gone with all that belongs to it.
import type { RunnableConfig } from '@langchain/core/runnables'
import { DeltaSnapshot, emptyCheckpoint, MemorySaver, uuid6 } from '@langchain/langgraph-checkpoint'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filesWith } from '../../../test/support/files-with.ts'
import {
  all,
  directory,
  files,
  META,
  ODD,
  open,
  put,
  RUNS,
  threadConfig,
} from '../../../test/support/langgraph-rig.ts'
import { DurableMemoryBackend } from '../../testing/durable-memory-backend.ts'
import { faultyBackend } from '../../testing/faulty-backend.ts'
import { EverthreadSaver, EverthreadStore } from '../langgraph.ts'

describe('the saver', () => {
  test('does what the one in memory does', async () => {
    const history = await open()
    let runs = 0
    const channels = fc.dictionary(
      fc.constantFrom('a', 'b', ...ODD.slice(0, 4)),
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom(...ODD),
        fc.constant(undefined),
        fc.object(),
      ),
      { minKeys: 1, maxKeys: 3, noNullPrototype: true },
    )
    const step = fc.record({
      kind: fc.constantFrom('put', 'put', 'put', 'writes', 'writes', 'again', 'delete'),
      thread: fc.constantFrom('t', 'u'),
      namespace: fc.constantFrom('', 'child'),
      back: fc.nat(3),
      values: channels,
      task: fc.constantFrom('a', 'b', '\u{10000}', '\uffff'),
      path: fc.constantFrom('', '~a', '~\u{10000}', '~\uffff'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 15 }), async (steps) => {
        const ours = new EverthreadSaver(history.forTenant(`run ${runs++}`))
        const theirs = new MemorySaver()
        for (const { kind, thread, namespace, back, values, task, path } of steps) {
          const known = (await all(theirs, threadConfig(thread, namespace)))[back]
          const parent = known?.config ?? threadConfig(thread, namespace)
          if (kind === 'delete') {
            await Promise.all([ours.deleteThread(thread), theirs.deleteThread(thread)])
          } else if (kind === 'put') {
            const before = known?.checkpoint ?? emptyCheckpoint()
            const versions = Object.fromEntries(
              Object.keys(values).map((name) => [name, ours.getNextVersion(undefined)]),
            )
            const checkpoint = {
              ...emptyCheckpoint(),
              id: uuid6(0),
              channel_values: { ...before.channel_values, ...values },
              channel_versions: { ...before.channel_versions, ...versions },
            }
            for (const saver of [ours, theirs]) {
              await saver.put(
                parent,
                structuredClone(checkpoint),
                { ...META, step: back },
                versions,
              )
            }
          } else if (known !== undefined) {
            const written = Object.entries(values)
            const special =
              kind === 'again' ? [['__interrupt__', back] as [string, unknown]] : written
            for (const saver of [ours, theirs]) {
              await saver.putWrites(known.config, special, task, path)
            }
          }
          for (const name of ['', 'child']) {
            const config = threadConfig(thread, name)
            expect(await all(ours, config)).toEqual(await all(theirs, config))
            expect(await ours.getTuple(config)).toEqual((await all(theirs, config))[0])
            const options = {
              filter: { step: back },
              limit: 2,
              ...(known && { before: known.config }),
            }
            expect(await all(ours, config, options)).toEqual(await all(theirs, config, options))
            const wanted = { config, channels: ['a', 'b'] }
            const delta = await ours.getDeltaChannelHistory(wanted)
            // The one in memory takes an undefined value for none.
            if (JSON.stringify(steps).includes('undefined')) continue
            expect(withoutUndefinedSeeds(delta)).toEqual(
              withoutUndefinedSeeds(await theirs.getDeltaChannelHistory(wanted)),
            )
          }
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('writes come in the order of path, task and index, whichever came first', async () => {
    const saver = new EverthreadSaver(await open())
    const config = await put(saver, threadConfig('t'), { a: 1 })
    const tasks = [
      ['b', '~2'],
      ['a', '~2'],
      ['z', '~1'],
      ['y', ''],
      ['\uffff', '~\uffff'],
      ['x', '~\u{10000}'],
    ] as const
    for (const [task, path] of tasks)
      await saver.putWrites(
        config,
        [
          ['c', 1],
          ['d', 2],
        ],
        task,
        path,
      )
    const { pendingWrites } = (await saver.getTuple(config))!
    const order = pendingWrites!.map(([task, channel]) => `${task}${channel}`)
    expect(order).toEqual([
      'yc',
      'yd',
      'zc',
      'zd',
      'ac',
      'ad',
      'bc',
      'bd',
      '\uffffc',
      '\uffffd',
      'xc',
      'xd',
    ])
  })

  test('what is repeated is there once, and a task keeps what it wrote first', async () => {
    const saver = new EverthreadSaver(await open())
    const id = uuid6(0)
    for (let i = 0; i < 3; i++) await put(saver, threadConfig('t'), { a: 1 }, { id })
    const config = threadConfig('t', '', id)
    for (let i = 0; i < 3; i++)
      await saver.putWrites(
        config,
        [
          ['a', i],
          ['__error__', i],
        ],
        'task',
      )
    const tuples = await all(saver, threadConfig('t'))
    expect(tuples).toHaveLength(1)
    expect(tuples[0]!.pendingWrites).toEqual([
      ['task', '__error__', 2],
      ['task', 'a', 0],
    ])
  })

  test('writes may come before their checkpoint, and from another process', async () => {
    const path = await directory()
    const history = await open(files(path))
    const saver = new EverthreadSaver(history)
    const other = new EverthreadSaver(history)
    const ids = Array.from({ length: 10 }, () => uuid6(0))
    for (const id of ids) {
      const config = threadConfig('t', '', id)
      await saver.putWrites(config, [['a', 'early']], '1')
      await put(saver, threadConfig('t'), { a: 1 }, { id })
      await saver.putWrites(config, [['a', 'again']], '1')
      await saver.putWrites(config, [['a', 'late']], '2')
      await other.putWrites(config, [['a', 'other']], '3')
      await put(saver, threadConfig('t'), { a: 1 }, { id })
      const written = [
        ['1', 'a', 'early'],
        ['2', 'a', 'late'],
        ['3', 'a', 'other'],
      ]
      expect((await saver.getTuple(config))!.pendingWrites).toEqual(written)
      expect((await other.getTuple(threadConfig('t')))!.pendingWrites).toEqual(written)
    }
    for (const { pendingWrites } of await all(saver, threadConfig('t'))) {
      expect(pendingWrites).toHaveLength(3)
    }
    expect(await saver.prune('t', { last: 2 })).toEqual({ removed: 8 })
    for (const { pendingWrites } of await all(saver, threadConfig('t'))) {
      expect(pendingWrites).toHaveLength(3)
    }
  })

  test.each(ODD.filter((text) => text !== ''))(
    '%j as thread, namespace, channel, id, task',
    async (odd) => {
      const history = await open()
      // The framework's serializer loses a field of that name.
      const channel = odd === '__proto__' ? 'proto' : odd
      const saver = new EverthreadSaver(history)
      const config = await put(saver, threadConfig(odd, odd), { [channel]: odd }, { id: odd })
      await saver.putWrites(config, [[channel, odd]], odd, odd)
      await put(saver, threadConfig(`${odd}!`, odd), { [channel]: 'other' })
      const child = await put(saver, config, { other: 1 })
      const tuple = (await saver.getTuple(config))!
      expect(tuple.config).toEqual(threadConfig(odd, odd, odd))
      expect(Object.entries(tuple.checkpoint.channel_values)).toEqual([[channel, odd]])
      expect(tuple.pendingWrites).toEqual([[odd, channel, odd]])
      expect((await saver.getTuple(child))!.parentConfig).toEqual(config)
      expect(await all(saver, threadConfig(odd))).toHaveLength(0)
      expect(await all(saver, { configurable: { thread_id: odd } })).toHaveLength(2)
      expect(await all(saver, { configurable: { checkpoint_ns: odd } })).toHaveLength(3)
      expect(await all(saver, threadConfig(odd, odd), { before: config })).toHaveLength(0)
      await saver.deleteThread(odd)
      expect(await all(saver, {})).toHaveLength(1)
      await put(saver, threadConfig(odd, odd), { [channel]: 'again' })
      const again = await saver.getTuple(threadConfig(odd, odd))
      expect(Object.values(again!.checkpoint.channel_values)).toEqual(['again'])
    },
  )

  test('values of any size: 8 channels of 3 MB, and writes of as much', async () => {
    const saver = new EverthreadSaver(await open())
    const texts = Array.from({ length: 8 }, (_, i) => `${i}"é`.repeat(600_000))
    const values = Object.fromEntries(texts.map((text, i) => [`c${i}`, text]))
    const bytes = new Uint8Array(3_000_000).fill(7)
    const config = await put(saver, threadConfig('t'), { ...values, bytes })
    await saver.putWrites(
      config,
      [
        ['c0', texts[0]],
        ['c1', texts[1]],
        ['bytes', bytes],
      ],
      'task',
    )
    const { checkpoint, pendingWrites } = (await saver.getTuple(config))!
    const { bytes: kept, ...texts2 } = checkpoint.channel_values
    expect(texts2).toEqual(values)
    expect(Buffer.compare(kept as Uint8Array, bytes)).toBe(0)
    expect(pendingWrites!.slice(0, 2).map(([, , value]) => value)).toEqual(texts.slice(0, 2))
    expect(pendingWrites).toHaveLength(3)
  })

  test('a thread of 300 steps is removed by one group', async () => {
    const history = await open()
    const saver = new EverthreadSaver(history)
    let config = threadConfig('t')
    for (let i = 0; i < 300; i++) {
      config = await put(saver, config, { a: i })
      await saver.putWrites(config, [['a', i]], 'task')
    }
    await put(saver, threadConfig('other'), { a: 1 })
    const groups: number[] = []
    history.store.onWrite(({ length }) => void groups.push(length))
    await saver.deleteThread('t')
    expect(groups).toHaveLength(1)
    // A list of checkpoints, one of values, and one of writes for some seconds.
    expect(groups[0]).toBeLessThan(100)
    expect(await all(saver, {})).toHaveLength(1)
  })

  test('only the latest checkpoints stay, with all that they need', async () => {
    const history = await open()
    const saver = new EverthreadSaver(history)
    const long = 'x'.repeat(3_000_000)
    const first = await put(saver, threadConfig('t'), { early: 'kept', long })
    const { channel_versions: early } = (await saver.getTuple(first))!.checkpoint
    let config = first
    let versions = early
    const roots: RunnableConfig[] = [first]
    for (let i = 0; i < 10; i++) {
      versions = { ...versions, late: saver.getNextVersion(undefined) }
      const checkpoint = { ...emptyCheckpoint(), id: uuid6(0), channel_versions: versions }
      const values = { late: i }
      config = await saver.put(config, { ...checkpoint, channel_values: values }, META, {
        late: versions['late']!,
      })
      roots.push(config)
      await saver.putWrites(config, [['late', i]], 'task')
      const root = config.configurable!['checkpoint_id'] as string
      await put(
        saver,
        threadConfig('t', `sub:${i}`),
        { a: i },
        { metadata: { parents: { '': root } } },
      )
    }
    expect(await saver.prune('t', { last: 3 })).toEqual({ removed: 8 + 7 })
    const left = await all(saver, threadConfig('t'))
    expect(left.map((each) => each.config)).toEqual(roots.slice(-3).toReversed())
    for (const [i, { checkpoint, pendingWrites }] of left.entries()) {
      expect(checkpoint.channel_values).toEqual({ early: 'kept', long, late: 9 - i })
      expect(pendingWrites).toEqual([['task', 'late', 9 - i]])
    }
    const subgraphs = await all(saver, { configurable: { thread_id: 't' } })
    expect(subgraphs).toHaveLength(3 + 3)
    expect(await saver.prune('t', { last: 3 })).toEqual({ removed: 0 })
    expect(await saver.prune('none', { last: 1 })).toEqual({ removed: 0 })
    await expect(saver.prune('t', { last: 0 })).rejects.toThrow(/last must be an integer from 1/)
  })

  test('what delta channels are made of stays', async () => {
    const saver = new EverthreadSaver(await open())
    let config = await put(saver, threadConfig('t'), { log: new DeltaSnapshot([0]) })
    await saver.putWrites(config, [['log', [1]]], 'task')
    for (let i = 2; i <= 100; i++) {
      config = await put(saver, config, i % 30 === 0 ? { log: new DeltaSnapshot([i]) } : {}, {
        metadata: i % 30 === 0 ? {} : { counters_since_delta_snapshot: { log: [i % 30, i % 30] } },
      })
      await saver.putWrites(config, [['log', [i]]], 'task')
    }
    const wanted = { config, channels: ['log', 'none'] }
    const before = await saver.getDeltaChannelHistory(wanted)
    expect(before['log']!.seed).toEqual(new DeltaSnapshot([90]))
    expect(before['log']!.writes.map(([, , value]) => value)).toEqual(
      Array.from({ length: 10 }, (_, i) => [90 + i]),
    )
    expect(before['none']).toEqual({ writes: [] })
    const { removed } = await saver.prune('t', { last: 2 })
    expect(removed).toBeGreaterThan(60)
    expect(await saver.getDeltaChannelHistory(wanted)).toEqual(before)
  })

  test('tenants are apart, and what is erased of one is gone', async () => {
    const history = await open()
    const [ann, bob] = ['ann', 'bob'].map((name) => new EverthreadSaver(history.forTenant(name)))
    await put(ann!, threadConfig('t'), { a: 'hers' })
    expect(await bob!.getTuple(threadConfig('t'))).toBeUndefined()
    expect(await all(bob!, {})).toEqual([])
    await bob!.deleteThread('t')
    await put(bob!, threadConfig('t'), { a: 'his' })
    const store = new EverthreadStore(history.forTenant('ann'))
    await store.put(['a'], 'k', { v: 1 })
    await history.forTenant('ann').eraseTenant('ann')
    expect(await all(ann!, {})).toEqual([])
    expect(await store.get(['a'], 'k')).toBeNull()
    expect((await bob!.getTuple(threadConfig('t')))!.checkpoint.channel_values).toEqual({
      a: 'his',
    })
  })

  test('an outage is an error, or the answer of the backup, and never a thread without checkpoints', async () => {
    const primary = faultyBackend(new DurableMemoryBackend())
    const backup = faultyBackend(new DurableMemoryBackend())
    const history = await open({ primary, backup, wal: 'memory:' })
    const saver = new EverthreadSaver(history)
    const config = await put(saver, threadConfig('t'), { a: 1 })
    const store = new EverthreadStore(history)
    await store.put(['a'], 'k', { v: 1 })
    await history.flush()
    primary.setMode('refused')
    expect((await saver.getTuple(threadConfig('t')))!.config).toEqual(config)
    const next = await put(saver, config, { a: 2 })
    expect((await saver.getTuple(threadConfig('t')))!.config).toEqual(next)
    await expect(saver.deleteThread('t')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      effect: 'unknown',
    })
    expect(await saver.getTuple(threadConfig('t'))).toBeUndefined()
    backup.setMode('refused')
    const calls = [
      () => saver.getTuple(threadConfig('t')),
      () => all(saver, {}),
      () => saver.deleteThread('t'),
      () => saver.getDeltaChannelHistory({ config, channels: ['a'] }),
      () => store.get(['a'], 'k'),
      () => store.search([]),
      () => store.listNamespaces(),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ name: 'StorageError' })
    // Closing brings what is pending to them.
    primary.setMode('up')
    backup.setMode('up')
  })

  test('what is missing in a config is named', async () => {
    const saver = new EverthreadSaver(await open())
    const refused = [
      [{}, /thread_id must be given/],
      [threadConfig(''), /thread_id must not be empty/],
      [{ configurable: { thread_id: 7 } }, /thread_id must be a string, got 7/],
      [{ configurable: { thread_id: 't', checkpoint_ns: {} } }, /checkpoint_ns must be a string/],
    ] as const
    for (const [config, message] of refused) {
      await expect(put(saver, config, { a: 1 })).rejects.toThrow(message)
    }
    const writes = saver.putWrites(threadConfig('t'), [['a', 1]], 'task')
    await expect(writes).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  })

  test('with encryption no value is in the backup or in the log', async () => {
    const path = await directory()
    const keys = [{ id: 'k1', secret: Buffer.alloc(32, 7).toString('base64') }]
    const history = await open({ ...files(path), encryption: { keys } })
    const saver = new EverthreadSaver(history)
    await saver.putWrites(
      await put(saver, threadConfig('t'), { a: 'canary-77' }),
      [['a', 'canary-77']],
      'x',
    )
    await new EverthreadStore(history).put(['a'], 'k', { v: 'canary-77' })
    await history.flush()
    const tuple = await saver.getTuple(threadConfig('t'))
    expect(tuple).toMatchObject({ checkpoint: { channel_values: { a: 'canary-77' } } })
    const found = await filesWith(path, 'canary-77')
    expect(found.filter((name) => !name.startsWith('primary'))).toEqual([])
  })

  test('another serializer: bytes of any kind come back', async () => {
    const serde = {
      dumpsTyped: (value: unknown): Promise<[string, Uint8Array]> =>
        Promise.resolve(['json', Buffer.from(JSON.stringify(value)).map((byte) => byte ^ 0xaa)]),
      loadsTyped: (_type: string, data: Uint8Array | string): Promise<unknown> =>
        Promise.resolve(
          JSON.parse(Buffer.from((data as Uint8Array).map((byte) => byte ^ 0xaa)).toString()),
        ),
    }
    const saver = new EverthreadSaver(await open(), serde)
    const config = await put(saver, threadConfig('t'), { a: { b: 'é' } })
    expect((await saver.getTuple(config))!.checkpoint.channel_values).toEqual({ a: { b: 'é' } })
  })
})

function withoutUndefinedSeeds(histories: object): unknown {
  return JSON.parse(JSON.stringify(histories))
}
