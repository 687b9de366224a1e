// Goal: transcripts come back as they were appended, and nothing else does. Method: random calls, compared with a model of
// what the SDK asks of a store, which is no dependency.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../index.ts'
import {
  EverthreadSessionStore,
  type ClaudeSessionEntry,
  type ClaudeSessionKey,
  type ClaudeSessionSummary,
} from './claude-agent.ts'

const MEMORY = { primary: 'memory:', backup: 'memory:', wal: 'memory:' } as const
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 40)
const KEY = { projectKey: '-home-ann-app', sessionId: '5f0c' }

let memory: ChatHistory
beforeAll(async () => {
  memory = await openChatHistory(MEMORY)
})
afterAll(() => memory.close())

let tenants = 0
function fresh(): ChatHistory {
  return memory.forTenant(`tenant-${++tenants}`)
}

const name = fc.constantFrom('a', 'a/b', 'b', '%', '\0', '\ud800', '😀')
/** Any, and often the same. */
const key = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom<ClaudeSessionKey>(KEY, { ...KEY, subpath: 'subagents/x' }),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      { projectKey: name, sessionId: name, subpath: fc.constantFrom('a', 'b\0') },
      { requiredKeys: ['projectKey', 'sessionId'] },
    ),
  },
)
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\0', '\ud800', '__proto__'))
const message = fc.record(
  {
    role: fc.constantFrom('user', 'assistant', 'tool', ''),
    content: fc.oneof(
      text,
      fc.array(fc.record({ type: fc.constantFrom('text', 'tool_use'), text })),
      fc.jsonValue(),
    ),
    usage: fc.jsonValue(),
  },
  { requiredKeys: [] },
)
const entry = fc
  .record(
    {
      type: fc.constantFrom('user', 'assistant', 'summary', 'mode'),
      uuid: fc.constantFrom('u1', 'u2', 'u3', 'u\0', ''),
      message: fc.oneof(message, fc.jsonValue()),
      id: fc.jsonValue(),
      role: fc.jsonValue(),
      createdAt: fc.jsonValue(),
      entry: fc.jsonValue(),
      content: fc.jsonValue(),
    },
    { requiredKeys: ['type'] },
  )
  // As a line of a file has it.
  .map((given) => JSON.parse(JSON.stringify(given)) as ClaudeSessionEntry)
const entries = fc.array(entry, { maxLength: 4 })
const call = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ call: fc.constant('append' as const), key, entries }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('delete' as const), key }) },
)

test('it keeps what the SDK hands over, each uuid once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 8 }), async (calls) => {
      const store = new EverthreadSessionStore(fresh())
      const model = new Map<string, ClaudeSessionEntry[]>()
      for (const each of calls) {
        if (each.call === 'append') {
          await store.append(each.key, each.entries)
          appendTo(model, each.key, each.entries)
        } else {
          await store.delete(each.key)
          deleteFrom(model, each.key)
        }
        await compare(store, model, each.key)
      }
    }),
    { numRuns: RUNS },
  )
})

function nameOf({ projectKey, sessionId, subpath }: ClaudeSessionKey): string {
  return JSON.stringify([projectKey, sessionId, subpath ?? null])
}

function appendTo(
  model: Map<string, ClaudeSessionEntry[]>,
  at: ClaudeSessionKey,
  entries: readonly ClaudeSessionEntry[],
): void {
  const stored = model.get(nameOf(at)) ?? []
  for (const each of entries) {
    const isKnown = stored.some(({ uuid }) => uuid === each.uuid)
    if (!each.uuid || !isKnown) stored.push(each)
  }
  if (stored.length > 0) model.set(nameOf(at), stored)
}

function deleteFrom(model: Map<string, unknown>, at: ClaudeSessionKey): void {
  for (const stored of model.keys()) {
    const [projectKey, sessionId] = JSON.parse(stored) as string[]
    const isOfSession = projectKey === at.projectKey && sessionId === at.sessionId
    if (stored === nameOf(at) || (at.subpath === undefined && isOfSession)) model.delete(stored)
  }
}

async function compare(
  store: EverthreadSessionStore,
  model: ReadonlyMap<string, ClaudeSessionEntry[]>,
  at: ClaudeSessionKey,
): Promise<void> {
  expect(await store.load(at)).toEqual(model.get(nameOf(at)) ?? null)
  const keys = [...model.keys()].map((each) => JSON.parse(each) as [string, string, string | null])
  const own = keys.filter(([projectKey]) => projectKey === at.projectKey)
  const sessions = await store.listSessions(at.projectKey)
  expect(sessions.every(({ mtime }) => Number.isSafeInteger(mtime) && mtime > 1e12)).toBe(true)
  expect(sessions.map(({ sessionId }) => sessionId).sort()).toEqual(
    own.flatMap(([, sessionId, subpath]) => (subpath === null ? [sessionId] : [])).sort(),
  )
  const subpaths = own.flatMap(([, sessionId, subpath]) =>
    sessionId === at.sessionId && subpath !== null ? [subpath] : [],
  )
  expect((await store.listSubkeys(at)).sort()).toEqual(subpaths.sort())
}

const TURN: ClaudeSessionEntry[] = [
  { type: 'user', uuid: 'u1', message: { role: 'user', content: 'Which files are there?' } },
  {
    type: 'assistant',
    uuid: 'u2',
    message: {
      id: 'msg_1',
      role: 'assistant',
      content: [{ type: 'tool_use', id: 't1', name: 'Bash', input: { command: 'ls' } }],
    },
  },
  { type: 'mode', mode: 'plan' },
]

test('messages are those of the history, beside others, under their own ids', async () => {
  const history = fresh()
  const store = new EverthreadSessionStore(history)
  await store.append(KEY, TURN)
  await history.saveMessage('another', { role: 'user', content: 'Hello' })
  const { messages } = await history.getHistory('claude/-home-ann-app/5f0c')
  expect(messages).toMatchObject([
    { id: 'u1', role: 'user', content: 'Which files are there?' },
    { id: 'u2', role: 'assistant', content: [{ type: 'tool_use', name: 'Bash' }] },
    { type: 'mode' },
  ])
  const { conversations } = await history.listConversations({ limit: 10 })
  expect(conversations.map((each) => each.conversationId).sort()).toEqual([
    'another',
    'claude/-home-ann-app/5f0c',
  ])
})

test('an entry that is longer than a message comes back, from another process too', async () => {
  const history = fresh()
  const data = 'x'.repeat(5 * 1024 * 1024)
  const long = {
    type: 'user',
    uuid: 'long',
    message: { role: 'user', content: [{ type: 'image', data }] },
  }
  const many = Array.from({ length: 1_200 }, (_, i) => ({ type: 'system', uuid: `m${i}`, n: i }))
  await new EverthreadSessionStore(history).append(KEY, [...TURN, long, ...many])
  const found = await new EverthreadSessionStore(history).load(KEY)
  expect(found).toHaveLength(TURN.length + 1_201)
  expect(found![TURN.length]).toEqual(long)
  expect(found!.slice(-1_200)).toEqual(many)
})

test('what a tool prints is kept, also when it is the name of a content', async () => {
  const history = fresh()
  const { ref } = await memory.forTenant('another').saveContent(Buffer.from('x'))
  const part = { type: 'tool_result', tool_use_id: 't1', content: ref }
  const entry = { type: 'user', uuid: 'u1', message: { role: 'user', content: [part] } }
  const store = new EverthreadSessionStore(history)
  await store.append(KEY, [entry, { type: 'mode', mode: ref }])
  expect(await store.load(KEY)).toEqual([entry, { type: 'mode', mode: ref }])
})

test('appends that are not waited for stand in the order of their calls', async () => {
  const store = new EverthreadSessionStore(fresh())
  const entries = Array.from({ length: 20 }, (_, i) => {
    return { type: 'user', ...(i % 2 === 0 && { uuid: `u${i}` }), n: i }
  })
  await Promise.all(entries.map((each) => store.append(KEY, [each])))
  expect(await store.load(KEY)).toEqual(entries)
})

/** As the SDK's: counts what it was handed, and keeps the time. */
function fold(
  before: ClaudeSessionSummary | undefined,
  { sessionId }: { sessionId: string },
  entries: ClaudeSessionEntry[],
  { mtime }: { mtime: number },
): ClaudeSessionSummary {
  const count = Number(before?.data['count'] ?? 0) + entries.length
  return { sessionId, mtime, data: { count } }
}

test('summaries are kept with the function of the SDK, and have the time of the sessions', async () => {
  const history = fresh()
  const stores = Array.from({ length: 4 }, () => {
    return new EverthreadSessionStore(history, { foldSessionSummary: fold })
  })
  await Promise.all(stores.map((each, i) => each.append(KEY, [{ type: 'user', uuid: `u${i}` }])))
  const [store] = stores as [EverthreadSessionStore]
  await store.append({ ...KEY, subpath: 'subagents/a' }, TURN)
  await store.append({ projectKey: 'other', sessionId: 's' }, TURN)
  const sessions = await store.listSessions(KEY.projectKey)
  expect(sessions).toMatchObject([{ sessionId: KEY.sessionId }])
  expect(await store.listSessionSummaries!(KEY.projectKey)).toEqual([
    { ...sessions[0]!, data: { count: 4 } },
  ])
  await store.delete(KEY)
  expect(await store.listSessionSummaries!(KEY.projectKey)).toEqual([])
  expect(await store.listSessionSummaries!('other')).toHaveLength(1)
  expect(new EverthreadSessionStore(history).listSessionSummaries).toBeUndefined()
})

test('tenants do not see each other, and a session that was deleted can be used again', async () => {
  const [ann, bob] = [fresh(), fresh()].map((history) => new EverthreadSessionStore(history))
  await ann!.append(KEY, TURN)
  expect([await bob!.load(KEY), await bob!.listSessions(KEY.projectKey)]).toEqual([null, []])
  await bob!.delete(KEY)
  expect(await ann!.load(KEY)).toEqual(TURN)
  await ann!.delete(KEY)
  expect(await ann!.load(KEY)).toBeNull()
  await ann!.append(KEY, TURN)
  expect(await ann!.load(KEY)).toEqual(TURN)
})

test('what cannot be kept is refused before anything is written', async () => {
  const store = new EverthreadSessionStore(fresh())
  const invalid = { code: 'INVALID_ARGUMENT', effect: 'none' }
  const bad = [TURN[0]!, { type: 'user', message: new Map() }]
  await expect(store.append(KEY, bad)).rejects.toMatchObject(invalid)
  await expect(store.append(KEY, [null as never])).rejects.toMatchObject(invalid)
  await expect(store.append({ ...KEY, subpath: '' }, TURN)).rejects.toMatchObject(invalid)
  await expect(store.append({ ...KEY, sessionId: '' }, TURN)).rejects.toMatchObject(invalid)
  await expect(store.append({ ...KEY, sessionId: 'x'.repeat(600) }, TURN)).rejects.toMatchObject(
    invalid,
  )
  expect(await store.load(KEY)).toBeNull()
})

test('after the history was closed every call is an error, and none answers null', async () => {
  const history = await openChatHistory(MEMORY)
  onTestFinished(() => history.close())
  const store = new EverthreadSessionStore(history)
  await store.append(KEY, TURN)
  await history.close()
  const closed = { code: 'CLOSED' }
  await expect(store.load(KEY)).rejects.toMatchObject(closed)
  await expect(store.append(KEY, TURN)).rejects.toMatchObject(closed)
  await expect(store.listSessions(KEY.projectKey)).rejects.toMatchObject(closed)
  await expect(store.listSubkeys(KEY)).rejects.toMatchObject(closed)
  await expect(store.delete(KEY)).rejects.toMatchObject(closed)
})
