// Goal: a stream is what assistant-ui's store in memory has, for any number of processes, with one producer. Method:
// random calls on both; two and three histories on the same databases.
import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { streamRig } from '../../../test/support/stream-rig.ts'
import { openChatHistory, type ChatHistory } from '../../index.ts'
import { streamStore, type StreamStore } from './stream-store.ts'

const RUNS = Number(process.env['ASSISTANT_UI_RUNS'] ?? 20)
const MEMORY = { primary: 'memory:', backup: 'memory:', wal: 'memory:', logger: false } as const
const ENTRY = createRequire(import.meta.url).resolve('@assistant-ui/core')

describe('streamStore', () => {
  // It comes with assistant-ui.
  const load = async (): Promise<() => StreamStore> => {
    const file = createRequire(ENTRY).resolve('assistant-stream/resumable')
    const { createInMemoryResumableStreamStore: create } = (await import(file)) as {
      createInMemoryResumableStreamStore: () => StreamStore
    }
    return create
  }
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  type Outcome = readonly unknown[]
  /** What a client knows of the streams of one store. */
  class Client {
    readonly leases = new Map<string, { token: string }>()
    readonly counts = new Map<string, number>()
  }
  type Call = (store: StreamStore, client: Client) => Promise<Outcome>

  async function tried(call: () => Promise<unknown>): Promise<Outcome> {
    try {
      return ['ok', await call()]
    } catch (error) {
      return ['failed', (error as { code?: string }).code === 'finalized' ? 'finalized' : 'other']
    }
  }

  /** What a reader gets of so many chunks, behind some of them, and how it ends. */
  async function readNow(
    store: StreamStore,
    id: string,
    count: number,
    skip: number,
  ): Promise<Outcome> {
    const isOpen = (await store.status(id)) === 'streaming'
    const first = await collect(store, id, '', isOpen ? count : Infinity)
    const cursor = first.got[skip - 1]?.[0]
    if (cursor === undefined) return [first.end, first.got.map(([, data]) => data)]
    const rest = await collect(store, id, cursor, isOpen ? count - skip : Infinity)
    return [rest.end, rest.got.map(([, data]) => data)]
  }

  async function collect(
    store: StreamStore,
    id: string,
    cursor: string,
    count: number,
  ): Promise<{ end: string; got: [string, number[]][] }> {
    const stop = new AbortController()
    const got: [string, number[]][] = []
    try {
      const reader = store.read(id, cursor, stop.signal)
      while (got.length < count) {
        const { done, value } = await reader.next()
        if (done === true) return { end: 'end', got }
        got.push([value.cursor, [...value.chunk]])
      }
      stop.abort()
      return { end: (await reader.next()).done === true ? 'open' : 'more', got }
    } catch {
      return { end: 'error', got }
    }
  }

  const id = fc.constantFrom('s1', 's:2')
  const chunk = fc.uint8Array({ maxLength: 4 })
  const call: fc.Arbitrary<Call> = fc.oneof(
    id.map((name): Call => async (store, { leases, counts }) => {
      const acquired = await store.acquireLease(name)
      if (acquired.role !== 'producer') return [acquired.role]
      leases.set(name, acquired.lease)
      counts.set(name, 0)
      return [acquired.role]
    }),
    fc
      .tuple(id, chunk, fc.boolean())
      .map(([name, data, isLeased]): Call => async (store, { leases, counts }) => {
        const lease = isLeased ? leases.get(name) : undefined
        const outcome = await tried(() => store.append(name, data, lease))
        if (outcome[0] === 'ok') counts.set(name, counts.get(name)! + 1)
        return outcome
      }),
    fc.tuple(id, fc.constantFrom('done' as const, 'error' as const)).map(
      ([name, status]): Call =>
        async (store, { leases }) =>
          await tried(() => store.finalize(name, status, 'broken', leases.get(name))),
    ),
    id.map((name): Call => async (store) => [await store.status(name)]),
    id.map(
      (name): Call =>
        async (store) =>
          await tried(() => store.delete(name)),
    ),
    fc.tuple(id, fc.nat(3)).map(([name, skip]): Call => async (store, { counts }) => {
      return await tried(() => readNow(store, name, counts.get(name) ?? 0, skip))
    }),
  )

  test('is what the store in memory is', async () => {
    const create = await load()
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 15 }), async (calls) => {
        const theirs = create()
        const history = await openChatHistory(MEMORY)
        try {
          const ours = streamStore(history, { pollMs: 10 })
          const clients = [new Client(), new Client()] as const
          for (const each of calls)
            expect(await each(ours, clients[0])).toEqual(await each(theirs, clients[1]))
        } finally {
          await history.close()
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('has one producer among processes, and readers that follow it', async () => {
    const { open } = streamRig()
    const stores = await Promise.all(
      [1, 2, 3].map(async () => streamStore(await open(), { pollMs: 10 })),
    )
    const acquired = await Promise.all(stores.map((store) => store.acquireLease('s')))
    const producers = acquired.flatMap((each, i) => (each.role === 'producer' ? [i] : []))
    expect(producers).toHaveLength(1)
    const producer = stores[producers[0]!]!
    const { signal } = new AbortController()
    const reading = Promise.all(
      stores.map(async (store) => {
        const got: string[] = []
        for await (const entry of store.read('s', '', signal))
          got.push(new TextDecoder().decode(entry.chunk))
        return got
      }),
    )
    const sent = Array.from({ length: 30 }, (_, i) => `chunk ${i}`)
    for (const text of sent) await producer.append('s', bytes(text))
    expect(await producer.finalize('s', 'done')).toBe(true)
    expect(await reading).toEqual([sent, sent, sent])
    expect(await stores[(producers[0]! + 1) % 3]!.acquire('s')).toBe('consumer')
  })

  test('lets no producer write on whose stream another one has taken over', async () => {
    const { open } = streamRig()
    const one = streamStore(await open())
    const two = streamStore(await open())
    const first = await one.acquireLease('s')
    if (first.role !== 'producer') throw new Error('the first one must be the producer')
    await one.append('s', bytes('old'), first.lease)
    await two.delete('s')
    const second = await two.acquireLease('s')
    expect(second.role).toBe('producer')
    await two.append('s', bytes('new'))
    await expect(one.append('s', bytes('late'), first.lease)).rejects.toMatchObject({
      code: 'missing',
    })
    expect(await one.finalize('s', 'done', undefined, first.lease)).toBe(false)
    expect(await two.finalize('s', 'done')).toBe(true)
    const got: string[] = []
    for await (const { chunk: data } of one.read('s', '', new AbortController().signal))
      got.push(new TextDecoder().decode(data))
    expect(got).toEqual(['new'])
  })

  test('ends readers of a stream that is deleted or expires, and forgets it', async () => {
    const history: ChatHistory = await streamRig().open()
    const store = streamStore(history, { pollMs: 10, ttlMs: 1_000 })
    const { signal } = new AbortController()
    await store.acquire('s')
    await store.append('s', bytes('x'))
    const reader = store.read('s', '', signal)
    await reader.next()
    const next = reader.next()
    await store.delete('s')
    expect((await next).done).toBe(true)
    expect(await store.status('s')).toBe('missing')

    await store.acquire('s')
    const late = store.read('s', '', signal).next()
    await expect(late).rejects.toThrow('Stream expired')
    expect(await store.status('s')).toBe('missing')
    expect(await store.acquire('s')).toBe('producer')
  })

  test('tells of an outage, and elects nobody in it', async () => {
    const { primary, backup, open } = streamRig()
    const history = await open()
    const store = streamStore(history)
    await store.acquire('s')
    await store.append('s', bytes('x'))
    primary.setMode('refused')
    await expect(store.acquire('s2')).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    expect(await store.status('s')).toBe('streaming')
    await store.append('s', bytes('y'))
    backup.setMode('refused')
    await expect(store.status('s')).rejects.toMatchObject({ effect: 'none' })
    expect(() => streamStore(history, { ttlMs: 5 })).toThrow(/ttlMs/)
    await expect(store.acquire('no/id')).rejects.toMatchObject({ code: 'invalid-id' })
  })
})
