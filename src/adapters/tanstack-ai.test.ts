// Goal: what TanStack AI keeps is kept as its own store in memory keeps it, and nothing is lost between two processes.
// Method: random calls on this one and on a reference of maps; two histories on the same databases.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { streamRig } from '../../test/support/stream-rig.ts'
import { openChatHistory, type ChatHistory } from '../index.ts'
import {
  tanstackPersistence,
  type InterruptRecord,
  type RunPatch,
  type RunRecord,
  type TanStackPersistence,
  type ThreadMessage,
} from './tanstack-ai.ts'

type Stores = TanStackPersistence<ThreadMessage>['stores']

const RUNS = Number(process.env['TANSTACK_RUNS'] ?? 20)

/** Errors are compared by whether there is one. */
async function outcome(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return (await call()) ?? null
  } catch {
    return 'refused'
  }
}

/** What the interfaces of TanStack AI ask for, in maps. */
function reference(): Stores {
  const threads = new Map<string, ThreadMessage[]>()
  const runs = new Map<string, RunRecord>()
  const interrupts = new Map<string, InterruptRecord>()
  const values = new Map<string, unknown>()
  const ofRuns = (thread: string): RunRecord[] =>
    [...runs.values()].filter(({ threadId }) => threadId === thread)
  const sorted = (isIn: (record: InterruptRecord) => boolean): InterruptRecord[] =>
    [...interrupts.values()].filter(isIn).toSorted((a, b) => a.requestedAt - b.requestedAt)
  const end = (id: string, entry: object): void => {
    const record = interrupts.get(id)
    if (record !== undefined) interrupts.set(id, { ...record, ...entry, resolvedAt: 0 })
  }
  return {
    messages: {
      loadThread: async (id) => structuredClone(threads.get(id) ?? []),
      saveThread: async (id, messages) => void threads.set(id, structuredClone(messages)),
    },
    runs: {
      createOrResume: async ({ status = 'running', ...rest }) => {
        const record = runs.get(rest.runId) ?? { ...rest, status }
        runs.set(rest.runId, record)
        return record
      },
      update: async (id, patch) => {
        const record = runs.get(id)
        if (record !== undefined) runs.set(id, { ...record, ...patch } as RunRecord)
      },
      get: async (id) => runs.get(id) ?? null,
      findActiveRun: async (thread) =>
        ofRuns(thread)
          .filter(({ status }) => status === 'running')
          .toSorted((a, b) => b.startedAt - a.startedAt)[0] ?? null,
      listByThread: async (thread) => ofRuns(thread).toSorted((a, b) => a.startedAt - b.startedAt),
    },
    interrupts: {
      create: async (record) => {
        const { interruptId: id } = record
        if (!interrupts.has(id)) interrupts.set(id, { ...record, status: 'pending' })
      },
      resolve: async (id, response) => end(id, { status: 'resolved', response }),
      cancel: async (id) => end(id, { status: 'cancelled' }),
      commitBatch: async (entries) => {
        const ids = entries.map(({ interruptId }) => interruptId)
        const isFit = ids.every((id) => interrupts.get(id)?.status === 'pending')
        if (!isFit || new Set(ids).size < ids.length) throw new Error('refused')
        for (const { interruptId, ...entry } of entries) end(interruptId, entry)
      },
      get: async (id) => interrupts.get(id) ?? null,
      list: async (thread) => sorted(({ threadId }) => threadId === thread),
      listPending: async (thread) =>
        sorted(({ threadId, status }) => threadId === thread && status === 'pending'),
      listByRun: async (run) => sorted(({ runId }) => runId === run),
      listPendingByRun: async (run) =>
        sorted(({ runId, status }) => runId === run && status === 'pending'),
    },
    metadata: {
      get: async (namespace, key) => values.get(JSON.stringify([namespace, key])) ?? null,
      set: async (namespace, key, value) =>
        void values.set(JSON.stringify([namespace, key]), value),
      delete: async (namespace, key) => void values.delete(JSON.stringify([namespace, key])),
    },
  }
}

const thread = fc.constantFrom('t1', 't/2')
const run = fc.constantFrom('r1', 'r2', 'r\0\ud83d')
const interrupt = fc.constantFrom('i1', 'i2', 'i/3')
const time = fc.integer({ min: 0, max: 5 })
const said = fc.string({ unit: 'binary', maxLength: 3 })
const message: fc.Arbitrary<ThreadMessage> = fc.record(
  {
    role: fc.constantFrom('user', 'assistant', 'tool'),
    content: fc.oneof(said, fc.constant(null), fc.constant([{ type: 'text', content: 'x' }])),
    id: fc.constantFrom('m1', 'm2', 'm3'),
    createdAt: fc.constantFrom(new Date(0), new Date(1_700_000_000_000)),
    thinking: fc.constant([{ content: 'hm', signature: 's' }]),
  },
  { requiredKeys: ['role', 'content'] },
)
const messages = fc.uniqueArray(message, {
  maxLength: 5,
  selector: ({ id }) => id ?? Symbol('none'),
})
const status = fc.constantFrom<RunRecord['status']>('running', 'interrupted', 'completed')
const patch: fc.Arbitrary<RunPatch> = fc.record(
  { status, finishedAt: time, detachedSince: fc.constantFrom(1, undefined), driverEpoch: time },
  { requiredKeys: [] },
)
const entry = fc.oneof(
  fc.record({ interruptId: interrupt, status: fc.constant('resolved' as const), response: said }),
  fc.record({ interruptId: interrupt, status: fc.constant('cancelled' as const) }),
)
const namespace = fc.constantFrom('a', 'a/b')
const key = fc.constantFrom('b/c', 'c')

type Call = (stores: Stores) => Promise<unknown>
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.tuple(thread, messages).map(
    ([id, all]): Call =>
      (s) =>
        s.messages.saveThread(id, all),
  ),
  fc.tuple(thread, messages).map(([id, more]): Call => async (s) => {
    const standing = await s.messages.loadThread(id)
    const ids = new Set(standing.map((each) => each.id))
    const fresh = more.filter((each) => each.id === undefined || !ids.has(each.id))
    await s.messages.saveThread(id, [...standing, ...fresh])
  }),
  fc.tuple(run, thread, time).map(
    ([runId, threadId, startedAt]): Call =>
      (s) =>
        s.runs.createOrResume({ runId, threadId, startedAt }),
  ),
  fc.tuple(run, patch).map(
    ([id, given]): Call =>
      (s) =>
        s.runs.update(id, given),
  ),
  fc.tuple(interrupt, run, thread, time).map(
    ([interruptId, runId, threadId, requestedAt]): Call =>
      (s) =>
        s.interrupts.create({ interruptId, runId, threadId, requestedAt, payload: { a: [] } }),
  ),
  fc.tuple(interrupt, said).map(
    ([id, answer]): Call =>
      (s) =>
        s.interrupts.resolve(id, answer),
  ),
  interrupt.map(
    (id): Call =>
      (s) =>
        s.interrupts.cancel(id),
  ),
  fc.array(entry, { maxLength: 3 }).map(
    (all): Call =>
      (s) =>
        s.interrupts.commitBatch(all),
  ),
  fc.tuple(namespace, key, fc.jsonValue()).map(
    ([space, name, value]): Call =>
      (s) =>
        s.metadata.set(space, name, value),
  ),
  fc.tuple(namespace, key).map(
    ([space, name]): Call =>
      (s) =>
        s.metadata.delete(space, name),
  ),
)

/** All that can be read. */
async function everything({ messages: m, runs, interrupts, metadata }: Stores): Promise<unknown> {
  const read: unknown[] = []
  for (const id of ['t1', 't/2']) {
    read.push(await m.loadThread(id), await runs.findActiveRun(id), await runs.listByThread(id))
    read.push(await interrupts.list(id), await interrupts.listPending(id))
  }
  for (const id of ['r1', 'r2', 'r\0\ud83d']) {
    read.push(await runs.get(id))
    read.push(await interrupts.listByRun(id), await interrupts.listPendingByRun(id))
  }
  for (const id of ['i1', 'i2', 'i/3']) read.push(await interrupts.get(id))
  for (const space of ['a', 'a/b'])
    for (const name of ['b/c', 'c']) read.push(await metadata.get(space, name))
  const text = JSON.stringify(read, (field, value: unknown) => (field === 'resolvedAt' ? 0 : value))
  return JSON.parse(text)
}

async function differential(
  open: () => Promise<ChatHistory>,
  calls: readonly Call[],
): Promise<void> {
  const theirs = reference()
  const history = await open()
  try {
    const { stores } = tanstackPersistence(history)
    for (const each of calls) {
      expect(await outcome(() => each(stores))).toEqual(await outcome(() => each(theirs)))
    }
    expect(await everything(stores)).toEqual(await everything(theirs))
  } finally {
    await history.close()
  }
}

test('any calls give what a store of maps gives', async () => {
  const memory = { primary: 'memory:', backup: 'memory:', wal: 'memory:', logger: false } as const
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 25 }), (calls) =>
      differential(() => openChatHistory(memory), calls),
    ),
    { numRuns: RUNS },
  )
})

describe('threads', () => {
  const said1 = { role: 'user', content: 'Hello', id: 'm1' } as const
  const said2 = { role: 'assistant', content: 'Hi', id: 'm2' } as const

  test('of which the whole is saved each time change where they differ, and nowhere else', async () => {
    const history = await streamRig().open()
    const { messages: store } = tanstackPersistence(history).stores
    await store.saveThread('t', [said1, said2])
    const stamp = async (id: string): Promise<unknown> =>
      (await history.getMessageEntry('t', id))?.stamp
    const before = [await stamp('m1'), await stamp('m2')]
    await store.saveThread('t', [
      said1,
      { ...said2, content: 'Hi!' },
      { role: 'user', content: 'x' },
    ])
    expect(await stamp('m1')).toBe(before[0])
    expect(await stamp('m2')).not.toBe(before[1])
    const { messages: shown } = await history.getHistory('t')
    expect(shown.map(({ content }) => content)).toEqual(['Hello', 'Hi!', 'x'])
  })

  test('take back a message that was cut off, and show what others saved', async () => {
    const history = await streamRig().open()
    const { messages: store } = tanstackPersistence(history).stores
    await store.saveThread('t', [said1, said2])
    await store.saveThread('t', [said1])
    await store.saveThread('t', [said1, said2])
    expect(await store.loadThread('t')).toEqual([said1, said2])
    await store.saveThread('t', [said1, { ...said2, id: 'm3' }])
    expect(await history.getMessage('t', 'm3')).toMatchObject({ content: 'Hi' })
    await history.saveMessage('t', { id: 'o', role: 'user', content: 'Ours' })
    expect((await store.loadThread('t')).at(-1)).toEqual({ id: 'o', role: 'user', content: 'Ours' })
  })

  test('that are saved twice at once are there once', async () => {
    const { messages: store } = tanstackPersistence(await streamRig().open()).stores
    const plain = [{ role: 'user', content: 'Hello' }] as const
    await Promise.all([1, 2, 3].map(() => store.saveThread('t', [...plain])))
    expect(await store.loadThread('t')).toEqual(plain)
  })

  test('stay apart by tenant, stay cleared, and are no empty ones in an outage', async () => {
    const { primary, backup, open } = streamRig()
    const history = await open()
    const { messages: store } = tanstackPersistence(history).stores
    const others = tanstackPersistence(history.forTenant('t2')).stores
    await store.saveThread('t', [said1])
    expect(await others.messages.loadThread('t')).toEqual([])
    await others.runs.createOrResume({ runId: 'r', threadId: 't', startedAt: 1 })
    expect(await tanstackPersistence(history).stores.runs.get('r')).toBe(null)
    await history.clearHistory('t')
    expect(await store.loadThread('t')).toEqual([])
    await store.saveThread('t', [said1])
    await history.forTenant('t2').eraseTenant('t2')
    expect(await others.runs.get('r')).toBe(null)
    primary.setMode('refused')
    expect(await store.loadThread('t')).toEqual([said1])
    backup.setMode('refused')
    await expect(store.loadThread('t')).rejects.toMatchObject({ effect: 'none' })
    await expect(others.runs.get('r')).rejects.toMatchObject({ effect: 'none' })
    const nothing = store.saveThread('t', [said1, said2])
    await expect(nothing).rejects.toMatchObject({ effect: expect.any(String) })
  })
})

test('two processes lose no field of a run, and answer an interrupt once', async () => {
  const { open } = streamRig()
  const one = tanstackPersistence(await open()).stores
  const two = tanstackPersistence(await open()).stores
  const created = await Promise.all(
    [one, two].map(({ runs }, i) =>
      runs.createOrResume({ runId: 'r', threadId: `t${i}`, startedAt: i }),
    ),
  )
  expect(created[0]).toEqual(created[1])
  await Promise.all([
    one.runs.update('r', { status: 'interrupted' }),
    two.runs.update('r', { driverEpoch: 2 }),
    one.runs.update('r', { cancelRequested: true }),
    two.runs.update('r', { detachedSince: 3 }),
  ])
  const changed = { status: 'interrupted', driverEpoch: 2, cancelRequested: true, detachedSince: 3 }
  expect(await two.runs.get('r')).toMatchObject(changed)

  const asked = { runId: 'r', threadId: 't', requestedAt: 1, payload: {} }
  for (const interruptId of ['i1', 'i2']) await one.interrupts.create({ ...asked, interruptId })
  const answers = [one, two].map(({ interrupts }, i) =>
    interrupts.commitBatch([
      { interruptId: 'i1', status: 'resolved', response: i },
      { interruptId: 'i2', status: 'resolved', response: i },
    ]),
  )
  const settled = await Promise.allSettled(answers)
  const refused = settled.filter((each) => each.status === 'rejected')
  expect(refused.map(({ reason }) => (reason as { code?: string }).code)).toEqual(['CONFLICT'])
  const [i1, i2] = await one.interrupts.list('t')
  expect(i1?.response).toBe(i2?.response)
})
