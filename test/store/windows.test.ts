// Goal: windows, aligned pages and the closing of tool calls hold their promises on real stores, healthy and
// while a database is out. Method: random conversations are saved and their windows compared with the slow
// way; two processes on the same databases, one of which cannot reach all of them.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import {
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
  type ChatMessage,
  type NewMessage,
  type WindowOptions,
} from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { LIMITS, MESSAGES, tokensOf } from '../support/conversations.ts'
import { slowWindow } from '../support/slow-window.ts'

const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
} as const

interface Rig {
  readonly history: ChatHistory
  readonly primary: FaultyBackend
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-windows-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Stores with a primary that can be taken away. */
const STORES: Readonly<Record<string, (directory: string) => ChatHistoryOptions>> = {
  memory: () => ({
    primary: new DurableMemoryBackend(),
    backup: new DurableMemoryBackend(),
    wal: 'memory:',
  }),
  SQLite: (directory) => ({
    primary: new SqliteBackend({ path: join(directory, 'primary.db') }),
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
  }),
  'SQLite, encrypted': (directory) => ({
    ...STORES['SQLite']!(directory),
    encryption: { keys: [{ id: 'k1', secret: randomBytes(32).toString('base64') }] },
  }),
}

async function rig(options: ChatHistoryOptions): Promise<Rig> {
  const primary = faultyBackend(options.primary as DurableMemoryBackend)
  const history = await openChatHistory({ health: HEALTH, ...options, primary, drainTimeout: 500 })
  onTestFinished(() => history.close())
  return { history, primary }
}

async function all(history: ChatHistory, id: string): Promise<ChatMessage[]> {
  const messages: ChatMessage[] = []
  for await (const message of history.messages(id)) messages.push(message)
  return messages
}

describe.each(Object.keys(STORES))('on %s', (name) => {
  test('windows are those of the slow way, healthy and without the primary', async () => {
    const { history, primary } = await rig(STORES[name]!(await scratch()))
    let count = 0
    const check = async (id: string, options: WindowOptions, complete: boolean): Promise<void> => {
      const window = await history.window(id, options)
      const messages = await all(history, id)
      const slow = slowWindow(messages, options, tokensOf)
      expect(window.messages.map((message) => message.id)).toEqual(slow.messages)
      expect(window.messages).toEqual(
        slow.messages.map((shown) => messages.find((message) => message.id === shown)),
      )
      expect([window.truncated, window.leftOut]).toEqual([slow.truncated, slow.leftOut])
      expect(window.complete).toBe(complete)
      if (window.nextCursor === undefined) return
      const { messages: older } = await history.getHistory(id, {
        before: window.nextCursor,
        limit: 200,
      })
      const rest = messages.map((message) => message.id).slice(older.length)
      const known = new Set([...window.leftOut, ...window.messages.map((message) => message.id)])
      // Nothing is lost: what is neither older nor in the window is named.
      expect(rest.filter((each) => !known.has(each))).toEqual([])
    }
    const property = fc.asyncProperty(MESSAGES, fc.nat(60), LIMITS, async (given, at, limits) => {
      const id = `c${count++}`
      const options = { ...limits, countTokens: tokensOf }
      const messages = given as readonly NewMessage[]
      const [before, after] = [messages.slice(0, at), messages.slice(at)]
      if (before.length > 0) await history.saveMessages(id, before)
      await eventually(async () => expect((await history.getHistory(id)).complete).toBe(true))
      await check(id, options, true)
      primary.setMode('refused')
      if (after.length > 0) await history.saveMessages(id, after)
      // What another process saved there is not to be seen.
      await check(id, options, false)
      primary.setMode('up')
    })
    await fc.assert(property, { numRuns: 12 })
  })

  test('aligned pages have each message once and begin with no result', async () => {
    const { history } = await rig(STORES[name]!(await scratch()))
    const turns = Array.from({ length: 30 }, (_, i) => turn(String(i), i % 4)).flat()
    await history.saveMessages('c', turns)
    for (const order of ['newest', 'oldest'] as const) {
      const read: ChatMessage[] = []
      let cursor: string | undefined
      do {
        const bound = cursor !== undefined && { [order === 'newest' ? 'before' : 'after']: cursor }
        const options = { limit: 7, order, alignTurns: true, ...bound }
        const page = await history.getHistory('c', options)
        const inOrder = order === 'newest' ? [...page.messages].reverse() : page.messages
        expect(inOrder[0]!.role).not.toBe('tool')
        expect(inOrder.at(-1)).not.toHaveProperty('toolCalls')
        read.push(...page.messages)
        cursor = page.nextCursor
      } while (cursor !== undefined)
      if (order === 'newest') read.reverse()
      expect(read).toEqual(await all(history, 'c'))
    }
  })
})

/** A question and its answer, with so many calls of tools at once. */
function turn(name: string, calls: number): NewMessage[] {
  const ids = Array.from({ length: calls }, (_, i) => `${name}-${i}`)
  return [
    { role: 'user', content: name },
    ...(calls > 0 ? [ask(...ids)] : []),
    ...ids.map((toolCallId) => ({ role: 'tool', content: 'done', toolCallId }) as const),
    { role: 'assistant', content: 'so it is' },
  ]
}

function ask(...ids: string[]): NewMessage {
  return { role: 'assistant', content: null, toolCalls: ids.map((id) => ({ id, name: 'f' })) }
}

interface Pair {
  readonly a: ChatHistory
  readonly b: ChatHistory
  readonly primaryOfA: FaultyBackend
  readonly backupOfB: FaultyBackend
}

/** Two processes on the same databases, each with a log of its own. */
async function pair(options: ChatHistoryOptions = {}): Promise<Pair> {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const [primaryOfA, backupOfB] = [faultyBackend(primary), faultyBackend(backup)]
  const common = { wal: 'memory:', health: HEALTH, drainTimeout: 100, ...options } as const
  const a = await openChatHistory({ ...common, primary: primaryOfA, backup })
  const b = await openChatHistory({ ...common, primary, backup: backupOfB })
  onTestFinished(async () => {
    await a.close()
    await b.close()
  })
  return { a, b, primaryOfA, backupOfB }
}

test('a call that nothing answers is found, closed once by two at once, and stays closed', async () => {
  const { a, b } = await pair()
  await a.saveMessages('c', [...turn('first', 2), { ...ask('x', 'y'), id: 'asked' }])
  await a.saveMessage('c', { role: 'tool', content: '1', toolCallId: 'y' })
  await a.saveMessage('c', { role: 'user', content: 'hello?' })
  const { toolCalls, complete, truncated } = await b.findDanglingToolCalls('c')
  expect({ complete, truncated }).toEqual({ complete: true, truncated: false })
  expect(toolCalls).toMatchObject([{ messageId: 'asked', toolCallId: 'x', name: 'f' }])
  const [one, other] = await Promise.all([a.closeToolCalls('c'), b.closeToolCalls('c')])
  const [first, second] = [one.closed[0]!.receipt!, other.closed[0]!.receipt!]
  expect([first.id, first.position]).toEqual([second.id, second.position])
  const closing = (await all(b, 'c')).filter(({ id }) => id.startsWith('closed-'))
  expect(closing).toMatchObject([{ role: 'tool', toolCallId: 'x', name: 'f' }])
  const { messages, danglingToolCalls } = await b.window('c', { maxMessages: 5 })
  const names = messages.map((each) => ('toolCallId' in each ? each.toolCallId : each.id))
  expect(names).toEqual([expect.any(String), 'asked', 'y', 'x', expect.any(String)])
  expect(danglingToolCalls).toEqual([])
  expect(await a.closeToolCalls('c')).toEqual({ closed: [], open: [], truncated: false })
})

test('two that close with different texts end in one of them', async () => {
  const { a, b } = await pair()
  await a.saveMessage('c', ask('x'))
  const texts = ['stopped', 'lost']
  const closed = await Promise.all(
    [a, b].map((each, i) => each.closeToolCalls('c', { content: texts[i]! })),
  )
  expect(closed.map((each) => each.closed.length)).toEqual([1, 1])
  const results = (await all(a, 'c')).filter(({ role }) => role === 'tool')
  expect(results).toHaveLength(1)
  expect(texts).toContain(results[0]!.content)
})

test('the result that comes late stands at its own place, and a window shows it for the error', async () => {
  const { a } = await pair()
  await a.saveMessage('c', ask('x'))
  await a.closeToolCalls('c')
  await a.saveMessage('c', { role: 'user', content: 'go on' })
  const shown = async (): Promise<unknown[]> =>
    (await a.window('c', { maxMessages: 9 })).messages.map(({ content }) => content)
  expect(await shown()).toEqual([null, 'The tool call was interrupted.', 'go on'])
  await a.saveMessage('c', { role: 'tool', content: '42', toolCallId: 'x' })
  expect(await shown()).toEqual([null, '42', 'go on'])
  const stored = (await all(a, 'c')).map(({ content }) => content)
  expect(stored).toEqual([null, 'The tool call was interrupted.', 'go on', '42'])
})

test('only calls of an age are closed; those without an id, or in parts, are named', async () => {
  const { a } = await pair()
  const part = { type: 'tool-f', toolCallId: 'ui', state: 'input-available' }
  await a.saveMessages('c', [
    { role: 'assistant', content: '', parts: [part], id: 'part' } as NewMessage,
    { role: 'assistant', content: null, toolCalls: [{ name: 'f' }], id: 'nameless' },
    { ...ask('x'), id: 'own' },
  ])
  const young = await a.closeToolCalls('c', { olderThanMs: 3_600_000 })
  expect(young.closed).toEqual([])
  expect(young.open.map(({ messageId }) => messageId)).toEqual(['part', 'nameless', 'own'])
  const { closed, open } = await a.closeToolCalls('c')
  expect(closed.map(({ messageId }) => messageId)).toEqual(['own'])
  expect(open.map(({ messageId }) => messageId)).toEqual(['part', 'nameless'])
})

test('while a result may be where it cannot be read nothing is closed, and a window says so', async () => {
  const { a, b, primaryOfA, backupOfB } = await pair()
  await a.saveMessage('c', ask('x'))
  await a.flush()
  primaryOfA.setMode('refused')
  await a.saveMessage('c', { role: 'tool', content: '42', toolCallId: 'x' })
  await eventually(() => expect(b.status().foreignHints).toBeGreaterThan(0))
  backupOfB.setMode('refused')
  const window = await b.window('c', { maxMessages: 5 })
  expect(window).toMatchObject({ complete: false, messages: [] })
  expect(window.danglingToolCalls).toMatchObject([{ toolCallId: 'x' }])
  await expect(b.closeToolCalls('c')).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  backupOfB.setMode('up')
  await eventually(async () =>
    expect((await b.window('c', { maxMessages: 5 })).complete).toBe(true),
  )
  const { messages } = await b.window('c', { maxMessages: 5 })
  expect(messages.map(({ content }) => content)).toEqual([null, '42'])
  expect(await b.closeToolCalls('c')).toMatchObject({ closed: [] })
})

test('a window with a session token has what its bearer wrote elsewhere, and carries one', async () => {
  const sessionSecret = 'a secret of at least sixteen bytes'
  const { a, b } = await pair({ sessionSecret, write: 'wal-first' })
  const { session } = await a.saveMessage('c', { role: 'user', content: 'hello' })
  const window = await b.window('c', { maxMessages: 5, session: session! })
  expect(window.messages).toHaveLength(1)
  const found = await b.findDanglingToolCalls('c', { session: window.session! })
  expect(found.session).toEqual(expect.any(String))
})

test('a signal that has aborted ends each call before a page is read', async () => {
  const { a } = await pair()
  const signal = AbortSignal.abort(new Error('enough'))
  const refused = { code: 'TIMEOUT', effect: 'none' }
  await expect(a.window('c', { maxMessages: 5, signal })).rejects.toMatchObject(refused)
  await expect(a.findDanglingToolCalls('c', { signal })).rejects.toMatchObject(refused)
  await expect(a.closeToolCalls('c', { signal })).rejects.toMatchObject(refused)
})

test('retention cuts in front of a call whose results come behind other messages', async () => {
  const history = await openChatHistory({
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
    retention: { maxMessages: 2 },
  })
  onTestFinished(() => history.close())
  await history.saveMessages('c', [
    { role: 'user', content: 'old' },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'x' }] },
    { role: 'user', content: 'meanwhile' },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'x', content: '1' }] },
    { role: 'assistant', content: 'done' },
  ])
  await history.applyRetention()
  expect((await all(history, 'c')).map(({ content }) => content)).toEqual([
    [{ type: 'tool_use', id: 'x' }],
    'meanwhile',
    [{ type: 'tool_result', tool_use_id: 'x', content: '1' }],
    'done',
  ])
})
