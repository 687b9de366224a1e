// Goal: a session of the OpenAI Agents SDK does what the SDK's own `MemorySession` does, and what that one cannot: two
// writers, outages, tenants, forks. Method: random programs on both, and calls one by one. The rest of it, with
// servers and processes that die, is in test/integration/openai-agents-conformance.test.ts.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  isSessionHistoryRewriteAwareSession,
  isSessionHistoryTransactionAwareSession,
  MemorySession,
  type AgentInputItem,
  type Session,
} from '@openai/agents-core'
import { expect, onTestFinished, test } from 'vitest'
import { compareSessions } from '../../test/support/agent-session-suite.ts'
import { runWithApproval } from '../../test/support/agent-runs.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../index.ts'
import { DurableMemoryBackend } from '../testing/durable-memory-backend.ts'
import { faultyBackend } from '../testing/faulty-backend.ts'
import { EverthreadSession } from './openai-agents.ts'

const SEED = Number(process.env['ADAPTER_SEED'] ?? 17)
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 25)

async function open(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  const places = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
  const history = await openChatHistory({ ...places, ...options })
  onTestFinished(() => history.close())
  return history
}

/** Two processes' histories on the same databases. */
async function openTwice(): Promise<readonly [ChatHistory, ChatHistory]> {
  const places = { primary: new DurableMemoryBackend(), backup: new DurableMemoryBackend() }
  return [await open(places), await open(places)]
}

function said(content: string): AgentInputItem {
  return { role: 'user', content }
}

function called(callId: string, args: string, id?: string): AgentInputItem {
  const item = { type: 'function_call', callId, name: 'weather', arguments: args } as const
  return { ...item, status: 'completed', ...(id !== undefined && { id }) }
}

function texts(items: readonly AgentInputItem[]): unknown[] {
  return items.map((item) => (item as { content?: unknown }).content)
}

function sorted(items: readonly unknown[]): unknown[] {
  return items.map(String).toSorted((a, b) => Number(a) - Number(b))
}

const ANSWER: AgentInputItem = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'Rain.' }],
}

test('random programs end as in MemorySession', async () => {
  expect(await compareSessions(await open(), RUNS, SEED)).toBeGreaterThan(RUNS)
})

test('random programs on SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-agents-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const history = await open({
    primary: `sqlite:${join(folder, 'primary.db')}`,
    backup: `sqlite:${join(folder, 'backup.db')}`,
    wal: `file:${join(folder, 'wal')}`,
  })
  expect(await compareSessions(history, Math.ceil(RUNS / 8), SEED)).toBeGreaterThan(1)
})

test('has the capabilities that the SDK looks for, of a history of any shape', async () => {
  const history: ChatHistory<'responses'> = await openChatHistory<'responses'>({
    wal: 'memory:',
    primary: 'memory:',
    backup: 'memory:',
  })
  onTestFinished(() => history.close())
  const session: Session = new EverthreadSession(history)
  expect(isSessionHistoryTransactionAwareSession(session)).toBe(true)
  expect(isSessionHistoryRewriteAwareSession(session)).toBe(true)
  expect(await session.getSessionId()).toBe(await session.getSessionId())
  const other = new EverthreadSession(await open())
  expect(await other.getSessionId()).not.toBe(await session.getSessionId())
})

test('what a session adds is read where messages are, and messages are items of the session', async () => {
  const history = await open()
  const session = new EverthreadSession(history, { sessionId: 'c' })
  await session.addItems([said('Is it raining?'), { type: 'reasoning', id: 'rs_1', content: [] }])
  await session.addItems([called('call 1', '{}', 'fc_1'), ANSWER])
  await history.saveMessage('c', { id: 'ours', role: 'user', content: 'Thanks' })
  await history.saveMessage('c', { role: 'assistant', content: 'Welcome' })
  const { messages } = await history.getHistory('c')
  expect(messages).toMatchObject([
    { role: 'user', content: 'Is it raining?' },
    { type: 'reasoning', $item: { id: 'rs_1' } },
    { type: 'function_call', callId: 'call 1', $item: { id: 'fc_1' } },
    { role: 'assistant', content: [{ text: 'Rain.' }], $item: { id: 'msg_1' } },
    { id: 'ours', content: 'Thanks' },
    { content: 'Welcome' },
  ])
  const iterated: unknown[] = []
  for await (const message of history.messages('c')) iterated.push(message)
  expect(iterated).toEqual(messages)
  const content = [{ type: 'output_text', text: 'Welcome' }]
  expect((await session.getItems()).slice(3)).toStrictEqual([
    ANSWER,
    said('Thanks'),
    { type: 'message', role: 'assistant', status: 'completed', content },
  ])
})

test('a window never has a call without its result, and a call that nobody answered is closed', async () => {
  const history = await open()
  const session = new EverthreadSession(history, { sessionId: 'c' })
  const output = { type: 'text', text: 'rain' } as const
  const result = { type: 'function_call_result', callId: '1', name: 'weather' } as const
  await session.addItems([
    said('Oslo?'),
    called('1', '{}'),
    { ...result, status: 'completed', output },
    ANSWER,
  ])
  const { messages } = await history.window('c', { maxMessages: 2 })
  expect(messages).toHaveLength(1)
  await session.addItems([
    called('2', '{}'),
    { type: 'shell_call', callId: '3', action: { commands: [] } },
  ])
  expect((await history.closeToolCalls('c')).closed).toMatchObject([{ toolCallId: '2' }])
  expect((await session.getItems()).at(-1)).toMatchObject({
    type: 'function_call_result',
    callId: '2',
    name: 'weather',
    status: 'incomplete',
    output: { type: 'text' },
  })
})

test('equal items are as many as were added, and keep their ids', async () => {
  const session = new EverthreadSession(await open())
  await session.addItems([ANSWER, ANSWER])
  await session.addItems([ANSWER])
  expect(await session.getItems()).toStrictEqual([ANSWER, ANSWER, ANSWER])
  expect(await session.popItem()).toStrictEqual(ANSWER)
  await session.addItems([ANSWER])
  expect(await session.getItems()).toHaveLength(3)
})

test('items are copies, both ways', async () => {
  const session = new EverthreadSession(await open())
  const item = { role: 'user', content: [{ type: 'input_text', text: 'a' }] } as AgentInputItem
  await session.addItems([item])
  ;(item as { content: { text: string }[] }).content[0]!.text = 'changed'
  const [read] = await session.getItems()
  ;(read as { content: { text: string }[] }).content[0]!.text = 'changed too'
  expect(texts(await session.getItems())).toEqual([[{ type: 'input_text', text: 'a' }]])
})

// openai-agents-python#1900: items of one millisecond came back in another order.
test('items that are added in one millisecond stay in their order', async () => {
  const [one, other] = await openTwice()
  const sessions = [one, other].map((each) => new EverthreadSession(each, { sessionId: 's' }))
  const names = Array.from({ length: 60 }, (_, i) => `${i}`)
  await sessions[0]!.addItems(names.slice(0, 40).map(said))
  for (const [i, name] of names.slice(40).entries()) {
    // Runs read before they add: so a process knows what came before, whatever its clock says.
    await sessions[i % 2]!.getItems(1)
    await sessions[i % 2]!.addItems([said(name)])
  }
  for (const session of sessions) expect(texts(await session.getItems())).toEqual(names)
})

// openai-agents-python#2722: of the first writes of several callers some were lost.
test('first writes at the same time lose nothing', async () => {
  const histories = await openTwice()
  const names = Array.from({ length: 24 }, (_, i) => `${i}`)
  await Promise.all(
    names.map((name, i) =>
      new EverthreadSession(histories[i % 2]!, { sessionId: 's' }).addItems([said(name)]),
    ),
  )
  const session = new EverthreadSession(histories[0], { sessionId: 's' })
  expect(sorted(texts(await session.getItems()))).toEqual(names)
})

// openai-agents-python#4205: two callers popped the same item.
test('callers of two histories pop distinct items, the latest first', async () => {
  const histories = await openTwice()
  const sessions = histories.map((each) => new EverthreadSession(each, { sessionId: 's' }))
  const names = Array.from({ length: 12 }, (_, i) => `${i}`)
  await sessions[0]!.addItems(names.map(said))
  const popped = await Promise.all(Array.from({ length: 14 }, (_, i) => sessions[i % 2]!.popItem()))
  const found = popped.filter((each) => each !== undefined)
  expect(sorted(texts(found))).toEqual(names)
  expect(await sessions[1]!.getItems()).toEqual([])
})

// openai-agents-js#701: a function call was stored twice when its run went on after an approval.
test('a run that waits for an approval stores each call once', async () => {
  const history = await open()
  const session = new EverthreadSession(history, { sessionId: 'c' })
  const { output, kinds } = await runWithApproval(session)
  expect(output).toBe('It rains in Oslo.')
  const expected = await runWithApproval(new MemorySession())
  expect(kinds).toEqual(expected.kinds)
  expect(kinds.filter((kind) => kind === 'function_call')).toHaveLength(1)
  const { messages } = await history.getHistory('c')
  expect(messages).toHaveLength(kinds.length)
})

test('a transaction happens once, in whichever history it is repeated', async () => {
  const histories = await openTwice()
  const [one, other] = histories.map((each) => new EverthreadSession(each, { sessionId: 's' }))
  const transaction = { type: 'append_items', items: [said('a'), called('1', '{}')] } as const
  const append = { operationId: 'op', transaction: structuredClone(transaction) as never }
  await one!.applyHistoryTransaction(append)
  await other!.applyHistoryTransaction({
    operationId: 'op',
    transaction: {
      items: [{ content: 'a', role: 'user' }, called('1', '{}')],
      type: 'append_items',
    },
  })
  expect(await other!.getItems()).toHaveLength(2)
  const different = other!.applyHistoryTransaction({
    operationId: 'op',
    transaction: { type: 'append_items', items: [said('b')] },
  })
  await expect(different).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      [one, other][i % 2]!.applyHistoryTransaction({
        operationId: `op ${i % 3}`,
        transaction: { type: 'append_items', items: [said(`${i % 3}`)] },
      }),
    ),
  )
  expect(sorted(texts(await one!.getItems()).slice(2))).toEqual(['0', '1', '2'])
})

test('of transactions about the same suffix one happens', async () => {
  const histories = await openTwice()
  const sessions = histories.map((each) => new EverthreadSession(each, { sessionId: 's' }))
  await sessions[0]!.addItems([said('a'), said('b')])
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) =>
      sessions[i % 2]!.applyHistoryTransaction({
        operationId: `${i}`,
        transaction: {
          type: 'replace_suffix',
          expectedSuffix: [said('a'), said('b')],
          replacement: [said('a'), said(`c${i}`)],
        },
      }),
    ),
  )
  const done = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [`c${i}`] : []))
  expect(done).toHaveLength(1)
  expect(texts(await sessions[1]!.getItems())).toEqual(['a', done[0]])
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CONFLICT' })
  }
})

/** Does something once between the next look at the latest items and the write. */
function between(history: ChatHistory, work: () => Promise<unknown>): void {
  const standing = history.standing.bind(history)
  history.standing = async (...args) => {
    history.standing = standing
    const found = await standing(...args)
    await work()
    return found
  }
}

test('what is written between the look and the change is seen by it', async () => {
  const history = await open()
  const session = new EverthreadSession(history, { sessionId: 's' })
  const other = new EverthreadSession(history, { sessionId: 's' })
  await session.addItems([said('a'), said('b')])
  between(history, () => other.addItems([said('c')]))
  expect(await session.popItem()).toEqual(said('c'))
  const replaces = (operationId: string): Promise<void> =>
    session.applyHistoryTransaction({
      operationId,
      transaction: { type: 'replace_suffix', expectedSuffix: [said('b')], replacement: [] },
    })
  between(history, () => other.addItems([said('d')]))
  await expect(replaces('1')).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  expect(await session.popItem()).toEqual(said('d'))
  const { messages } = await history.getHistory('s')
  const edited = { role: 'user', content: 'edited' } as const
  const edit = (): Promise<unknown> => history.updateMessage('s', messages[1]!.id, edited)
  between(history, edit)
  await expect(replaces('2')).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
  expect(texts(await session.getItems())).toEqual(['a', 'edited'])
  between(history, () => history.updateMessage('s', messages[1]!.id, { ...edited, content: 'e' }))
  expect(await session.popItem()).toEqual(said('e'))
  expect(texts(await session.getItems())).toEqual(['a'])
})

test('what stays the same of a suffix keeps its id', async () => {
  const history = await open()
  const session = new EverthreadSession(history, { sessionId: 's' })
  await session.addItems([said('a'), said('b')])
  const before = await history.getHistory('s')
  const items = [said('a'), said('b')]
  const transaction = { type: 'replace_suffix', expectedSuffix: items, replacement: items } as const
  await session.applyHistoryTransaction({ operationId: '1', transaction: transaction as never })
  expect(await history.getHistory('s')).toEqual(before)
})

test('a clear removes items and what is remembered of transactions, and the session is used again', async () => {
  const history = await open()
  const session = new EverthreadSession(history, { sessionId: 's' })
  const append = { type: 'append_items', items: [said('a')] } as never
  await session.applyHistoryTransaction({ operationId: 'op', transaction: append })
  await session.clearSession()
  expect(await session.getItems()).toEqual([])
  expect(await session.popItem()).toBeUndefined()
  await session.applyHistoryTransaction({ operationId: 'op', transaction: append })
  expect(texts(await session.getItems())).toEqual(['a'])
})

test('sessions of one id in two tenants are two', async () => {
  const history = await open()
  const one = new EverthreadSession(history.forTenant('a'), { sessionId: 's' })
  const other = new EverthreadSession(history.forTenant('b'), { sessionId: 's' })
  const append = { type: 'append_items', items: [said('a')] } as never
  await one.applyHistoryTransaction({ operationId: 'op', transaction: append })
  expect(await other.getItems()).toEqual([])
  await other.applyHistoryTransaction({ operationId: 'op', transaction: append })
  await one.clearSession()
  expect(await other.popItem()).toEqual(said('a'))
})

test('a compaction takes the place of everything at once, and transactions are remembered', async () => {
  const history = await open()
  const session = new EverthreadSession(history)
  const append = { type: 'append_items', items: [said('a'), said('b')] } as never
  await session.applyHistoryTransaction({ operationId: 'op', transaction: append })
  const compacted = [{ type: 'compaction', encrypted_content: 'x' } as const, said('b')]
  let groups = 0
  const stop = history.store.onWrite(() => groups++)
  await session.replaceHistoryWithCompaction(compacted)
  stop()
  expect(groups).toBe(1)
  await session.applyHistoryTransaction({ operationId: 'op', transaction: append })
  expect(await session.getItems()).toStrictEqual(compacted)
})

test('more items than one group takes are added in several', async () => {
  const session = new EverthreadSession(await open())
  const names = Array.from({ length: 2_300 }, (_, i) => `${i}`)
  await session.addItems(names.map(said))
  expect(texts(await session.getItems())).toEqual(names)
  expect(texts(await session.getItems(1_001))).toEqual(names.slice(-1_001))
  const bad = [...names.map(said), { role: 'nobody' } as never]
  await expect(session.addItems(bad)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await session.getItems()).toHaveLength(2_300)
})

test.each([
  ['sessionId', {}, { sessionId: '' }],
  ['sessionId', {}, { sessionId: 'x'.repeat(513) }],
  ['decide', {}, { decide: 'nobody' }],
  ['sessionID', {}, { sessionID: 's' }],
])('options: %s', async (named, _, options) => {
  const history = await open()
  expect(() => new EverthreadSession(history, options as never)).toThrow(named)
})

test('what cannot be kept is refused by its name, before any effect', async () => {
  const session = new EverthreadSession(await open())
  const bytes = { type: 'unknown', providerData: { data: new Uint8Array(1) } } as never
  await expect(session.addItems([said('a'), bytes])).rejects.toThrow('items[1].providerData.data')
  await expect(session.addItems([{ $item: 1 } as never])).rejects.toThrow('items[0]')
  await expect(session.addItems([null as never])).rejects.toThrow('items[0]')
  await expect(session.getItems(1.5)).rejects.toThrow('limit')
  const apply = (args: unknown): Promise<void> => session.applyHistoryTransaction(args as never)
  const items = [bytes]
  const transactions = [
    ['operationId', { operationId: ' ', transaction: { type: 'append_items', items: [] } }],
    ['operationId', { transaction: { type: 'append_items', items: [] } }],
    ['transaction', { operationId: 'a' }],
    ['args', undefined],
    ['transaction must be', { operationId: 'a', transaction: { type: 'append_items' } }],
    ['transaction must be', { operationId: 'a', transaction: { type: 'other', items: [] } }],
    ['transaction.items[0]', { operationId: 'a', transaction: { type: 'append_items', items } }],
  ] as const
  for (const [named, args] of transactions) {
    await expect(apply(args)).rejects.toThrow(named)
    await expect(apply(args)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  }
  const mutate = session.applyHistoryMutations({ mutations: [null as never] })
  await expect(mutate).rejects.toThrow('mutations[0]')
  expect(() => new EverthreadSession(undefined as never)).toThrow('history')
  expect(await session.getItems()).toEqual([])
})

test('a fork leaves the items that it shares to the other session', async () => {
  const history = await open()
  const source = new EverthreadSession(history, { sessionId: 's' })
  await source.addItems([said('a'), said('b')])
  const { conversationId } = await history.fork('s')
  const fork = new EverthreadSession(history, { sessionId: conversationId })
  await fork.addItems([said('c')])
  expect(texts(await fork.getItems())).toEqual(['a', 'b', 'c'])
  const replace = { type: 'replace_suffix', expectedSuffix: [said('b'), said('c')] } as const
  const transaction = { ...replace, replacement: [] } as never
  const reaching = fork.applyHistoryTransaction({ operationId: '1', transaction })
  await expect(reaching).rejects.toMatchObject({ code: 'UNSUPPORTED', effect: 'none' })
  expect(await fork.popItem()).toEqual(said('c'))
  expect(await fork.popItem()).toEqual(said('b'))
  expect(texts(await fork.getItems())).toEqual(['a'])
  expect(await source.popItem()).toEqual(said('b'))
  expect(await source.popItem()).toEqual(said('a'))
  expect(texts(await fork.getItems())).toEqual(['a'])
})

test('an outage is an error with its effect or the answer of the backup, never an empty session', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const write = { type: 'idempotent', config: { timeout: 500, maxRetries: 0 } } as const
  const history = await open({ primary, backup, write })
  const session = new EverthreadSession(history, { sessionId: 's' })
  const strict = new EverthreadSession(history, { sessionId: 's', decide: 'primary' })
  await session.addItems([said('a'), said('b')])
  await history.flush()
  primary.setMode('refused')
  expect(texts(await session.getItems())).toEqual(['a', 'b'])
  await session.addItems([said('c')])
  await expect(strict.popItem()).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  expect(await session.popItem()).toEqual(said('c'))
  backup.setMode('refused')
  await expect(session.getItems()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(session.popItem()).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  const append = { type: 'append_items', items: [said('d')] } as never
  const apply = (): Promise<void> =>
    session.applyHistoryTransaction({ operationId: 'op', transaction: append })
  await expect(apply()).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  primary.setMode('up')
  backup.setMode('up')
  await expect.poll(async () => texts(await session.getItems())).toEqual(['a', 'b'])
})

test('a transaction whose answer was lost is repeated and has happened once', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  const write = { type: 'idempotent', config: { timeout: 200, maxRetries: 0 } } as const
  const history = await open({ primary, backup: new DurableMemoryBackend(), write })
  const session = new EverthreadSession(history, { sessionId: 's', decide: 'primary' })
  await session.addItems([said('a')])
  const transaction = {
    type: 'replace_suffix',
    expectedSuffix: [said('a')],
    replacement: [said('b'), said('c')],
  } as const
  const args = { operationId: 'op', transaction: transaction as never }
  let isLost = false
  primary.onCall((operation) => {
    if (operation !== 'apply' || isLost) return
    isLost = true
    primary.setMode('reply-lost')
  })
  await expect(session.applyHistoryTransaction(args)).rejects.toMatchObject({ effect: 'unknown' })
  primary.setMode('up')
  await expect
    .poll(() => session.applyHistoryTransaction(args).then(() => 'done', String))
    .toBe('done')
  expect(texts(await session.getItems())).toEqual(['b', 'c'])
})
