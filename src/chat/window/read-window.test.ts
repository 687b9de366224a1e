// Goal: a window is what its description says, for any conversation. Method: random conversations, and the
// same answer worked out the slow way, with everything in memory: who answers whom first, then what fits.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stampAt } from '../../testing/backend/operations.ts'
import {
  ConversationPages,
  placed,
  type PagesQuery,
  type PlacedMessage,
  type PlacedPage,
} from '../conversation-pages.ts'
import type { ChatMessage } from '../message.ts'
import { closingId } from '../turns/closing-message.ts'
import { toolUseOf } from '../turns/tool-use.ts'
import { LIMITS, MESSAGES, tokensOf } from '../../../test/support/conversations.ts'
import { slowWindow } from '../../../test/support/slow-window.ts'
import { readWindow } from './read-window.ts'
import { resolveWindow, type HistoryWindow, type WindowOptions } from './window-options.ts'

/** Pages of a conversation that is kept in memory; counts what is read. */
class Conversation {
  readonly messages: readonly ChatMessage[]
  readonly #all: readonly PlacedMessage[]
  pagesRead = 0
  messagesRead = 0

  constructor(messages: readonly object[]) {
    this.messages = messages.map((message, i) => {
      return { id: `m${i}`, createdAt: 'now', ...message } as object as ChatMessage
    })
    this.#all = this.messages.map((message, i) => {
      return placed({ item: { id: message.id, position: stampAt(i * 1000) }, message })
    })
  }

  async window(options: WindowOptions): Promise<Omit<HistoryWindow, 'session'>> {
    const pages = new ConversationPages((query) => Promise.resolve(this.#page(query)))
    return (await readWindow(pages, resolveWindow(options))).window
  }

  #page({ limit, order, before, after }: PagesQuery): PlacedPage {
    const within = this.#all.filter(({ item: { position } }) => {
      return (
        (before === undefined || position < before) && (after === undefined || position > after)
      )
    })
    if (order === 'newest') within.reverse()
    const messages = within.slice(0, limit)
    this.pagesRead++
    this.messagesRead += messages.length
    const next = within.length > limit ? messages.at(-1)!.item.position : undefined
    return { messages, next, complete: true }
  }
}

const CONVERSATION = MESSAGES.map((messages) => new Conversation(messages))

test('a window is the one that is worked out the slow way', async () => {
  await fc.assert(
    fc.asyncProperty(CONVERSATION, LIMITS, async (conversation, limits) => {
      const counted = new Map<string, number>()
      const options: WindowOptions = {
        ...limits,
        countTokens: (message) => {
          counted.set(message.id, (counted.get(message.id) ?? 0) + 1)
          const tokens = tokensOf(message)
          return tokens % 2 === 0 ? tokens : Promise.resolve(tokens)
        },
      }
      const window = await conversation.window(options)
      const slow = slowWindow(conversation.messages, options, tokensOf)
      expect(window.messages.map(({ id }) => id)).toEqual(slow.messages)
      expect([window.truncated, window.leftOut]).toEqual([slow.truncated, slow.leftOut])
      expect(window.oversized !== undefined).toBe(slow.oversized)
      const first = conversation.messages.findIndex(({ id }) => id === slow.first)
      expect(window.nextCursor).toBe(first === -1 ? undefined : stampAt(first * 1000))
      expect(window.tokens).toBe(window.messages.map(tokensOf).reduce((a, b) => a + b, 0))
      expect([...counted.values()].every((times) => times === 1)).toBe(true)
    }),
    { numRuns: 1_500 },
  )
})

test('no call is in a window without its result, and no result without its call', async () => {
  await fc.assert(
    fc.asyncProperty(CONVERSATION, fc.integer({ min: 1, max: 30 }), async (given, maxMessages) => {
      const { messages } = await given.window({ maxMessages })
      expect(messages.length).toBeLessThanOrEqual(maxMessages)
      const [open, met] = [new Set<string>(), new Set<string>()]
      const nameless = { calls: 0, results: 0 }
      for (const { calls, results } of messages.map(toolUseOf)) {
        for (const id of results) {
          if (id === undefined) nameless.results++
          else expect(met).toContain(id)
          if (id !== undefined) open.delete(id)
        }
        for (const { id } of calls) {
          if (id === undefined) {
            nameless.calls++
            continue
          }
          met.add(id)
          open.add(id)
        }
      }
      // A result that names no call may answer one that has an id.
      expect(nameless.calls + open.size).toBeLessThanOrEqual(nameless.results)
    }),
    { numRuns: 1_000 },
  )
})

test('the latest fifty of many messages cost one page, and no message more', async () => {
  const conversation = talk(1_000)
  const { messages, truncated, nextCursor } = await conversation.window({ maxMessages: 50 })
  expect(messages.map(({ id }) => id)).toEqual(conversation.messages.slice(-50).map(({ id }) => id))
  expect([truncated, nextCursor]).toEqual([true, stampAt(950_000)])
  expect([conversation.pagesRead, conversation.messagesRead]).toEqual([1, 50])
})

test('a window by tokens reads a page more than it has, and keeps the system message in front', async () => {
  const conversation = talk(1_000, [{ role: 'system', content: 'be kind' }])
  const window = await conversation.window({
    maxTokens: 61,
    countTokens: () => 1,
    keepSystem: true,
  })
  const ids = conversation.messages.map(({ id }) => id)
  expect(window.messages.map(({ id }) => id)).toEqual([ids[0], ...ids.slice(-60)])
  expect(window.tokens).toBe(61)
  expect(conversation.messagesRead).toBeLessThanOrEqual(111)
})

test('no window looks at more than ten thousand messages: then it says that there are older ones', async () => {
  const call = { role: 'assistant', content: null, toolCalls: [{ id: 'never' }] }
  const calls = Array.from({ length: 10_050 }, () => call)
  const conversation = new Conversation([{ role: 'user', content: 'first' }, ...calls])
  const window = await conversation.window({ maxMessages: 5 })
  expect(conversation.messagesRead).toBe(10_000)
  expect(window).toMatchObject({ messages: [], truncated: true, nextCursor: stampAt(51_000) })
  expect(window.leftOut).toHaveLength(10_000)
})

test('a turn that is larger than the limits leaves the window empty, and it says what it needs', async () => {
  const turn = [
    { role: 'assistant', content: null, toolCalls: [{ id: 'a' }, { id: 'b' }] },
    { role: 'tool', content: '1', toolCallId: 'a' },
    { role: 'tool', content: '2', toolCallId: 'b' },
  ]
  const conversation = new Conversation([{ role: 'user', content: 'x' }, ...turn])
  const whole = await conversation.window({ maxMessages: 2 })
  expect(whole).toEqual({
    messages: [],
    truncated: true,
    leftOut: [],
    danglingToolCalls: [],
    oversized: { messages: 3 },
    complete: true,
  })
  const tokens = await conversation.window({ maxTokens: 5, countTokens: () => 2 })
  expect(tokens).toMatchObject({ messages: [], tokens: 0, oversized: { messages: 3, tokens: 6 } })
  const user = await conversation.window({ maxMessages: 3, startOn: 'user' })
  expect(user).toMatchObject({ messages: [], oversized: { messages: 4 } })
  const system = [{ role: 'system', content: 'long' }, ...turn]
  const kept = { maxMessages: 3, keepSystem: true }
  expect(await new Conversation(system).window(kept)).toMatchObject({ oversized: { messages: 4 } })
})

test('results stand behind their call, however late they came; of two the first, and none for an error', async () => {
  const ask = { role: 'assistant', content: null, toolCalls: [{ id: 'a' }] }
  const result = (content: string): object => ({ role: 'tool', content, toolCallId: 'a' })
  const conversation = new Conversation([
    { role: 'user', content: 'q' },
    { ...ask, id: 'ask' },
    { role: 'user', content: 'hello?' },
    { ...result('interrupted'), id: closingId('ask', 'a') },
    { role: 'assistant', content: 'sorry' },
    { ...result('late'), id: 'late' },
    { ...result('later'), id: 'later' },
  ])
  const { messages, leftOut } = await conversation.window({ maxMessages: 20 })
  expect(messages.map(({ content }) => content)).toEqual(['q', null, 'late', 'hello?', 'sorry'])
  expect(leftOut).toEqual([closingId('ask', 'a'), 'later'])
})

test('calls that nothing answers are named, each with its message, oldest first', async () => {
  const conversation = new Conversation([
    { role: 'assistant', content: null, toolCalls: [{ id: 'a', name: 'f' }, { id: 'b' }], id: '1' },
    { role: 'tool', content: 'x', toolCallId: 'b', id: '2' },
    { role: 'user', content: 'x', id: '3' },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'c' }], id: '4' },
  ])
  const { messages, leftOut, danglingToolCalls } = await conversation.window({ maxMessages: 20 })
  expect(messages.map(({ id }) => id)).toEqual(['3'])
  expect(leftOut).toEqual(['1', '2', '4'])
  expect(danglingToolCalls).toMatchObject([
    { messageId: '1', toolCallId: 'a', name: 'f' },
    { messageId: '4', toolCallId: 'c' },
  ])
})

const GOOD = { maxMessages: 5, maxTokens: 5, countTokens: () => 1 }

test.each<[object, string]>([
  [{}, 'maxMessages or maxTokens must be given'],
  [{ maxTokens: 5 }, 'countTokens must be given with maxTokens'],
  [{ ...GOOD, maxMessages: 0 }, 'maxMessages must be an integer from 1 to 10000, got 0'],
  [{ ...GOOD, maxMessages: 10_001 }, 'maxMessages must be an integer from 1 to 10000, got 10001'],
  [{ ...GOOD, maxTokens: 1.5 }, 'maxTokens must be an integer from 1'],
  [{ ...GOOD, countTokens: 1 }, 'countTokens must be a function, got 1'],
  [{ ...GOOD, keepSystem: 'yes' }, 'keepSystem must be boolean, got "yes"'],
  [{ ...GOOD, startOn: 'tool' }, 'startOn must be user, got "tool"'],
  [{ ...GOOD, signal: {} }, 'signal must be an AbortSignal, got an object'],
  [{ ...GOOD, maxToken: 5 }, 'maxToken is not known; did you mean maxTokens?'],
])('%j is refused: %s', (options, message) => {
  expect(() => resolveWindow(options)).toThrow(message)
})

test.each<[unknown, string]>([
  [-1, 'countTokens of message "m0" must give a finite number of at least 0, got -1'],
  [Number.NaN, 'countTokens of message "m0" must give a finite number of at least 0, got NaN'],
  [Infinity, 'got Infinity'],
  ['7', 'got "7"'],
  [undefined, 'got undefined'],
  [() => Promise.resolve('7'), 'got "7"'],
  [() => Promise.reject(new Error('no model')), 'countTokens failed for message "m0": no model'],
])(
  'what countTokens gives is refused when it is no number of tokens: %s',
  async (given, message) => {
    const window = talk(1).window({
      maxMessages: 5,
      countTokens: () => (typeof given === 'function' ? given() : given) as number,
    })
    await expect(window).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      effect: 'none',
      message: expect.stringContaining(message) as string,
    })
  },
)

test('what countTokens throws is the cause of the refusal', async () => {
  const cause = new RangeError('too long')
  const countTokens = (): never => {
    throw cause
  }
  await expect(talk(1).window({ maxMessages: 5, countTokens })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'countTokens failed for message "m0": too long',
    cause,
  })
})

test('a signal ends a window that waits for countTokens for ever', async () => {
  const stop = new AbortController()
  const cause = new Error('enough')
  const countTokens = (): Promise<number> => {
    queueMicrotask(() => stop.abort(cause))
    return new Promise(() => {})
  }
  const window = talk(1).window({ maxMessages: 5, countTokens, signal: stop.signal })
  await expect(window).rejects.toMatchObject({ code: 'TIMEOUT', cause })
})

function talk(length: number, before: readonly object[] = []): Conversation {
  const said = Array.from({ length }, (_, i) => ({ role: 'user', content: String(i) }))
  return new Conversation([...before, ...said])
}
