// Goal: a message history of LangChain keeps every field, as its own history in memory does. Method: random programs on
// both, and calls one by one.
import {
  AIMessage,
  AIMessageChunk,
  HumanMessage,
  RemoveMessage,
  SystemMessage,
  ToolMessage,
} from '@langchain/core/messages'
import { RunnableWithMessageHistory } from '@langchain/core/runnables'
import { FakeListChatModel } from '@langchain/core/utils/testing'
import { expect, onTestFinished, test } from 'vitest'
import { compareHistories } from '../../test/support/langchain-suite.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../index.ts'
import { DurableMemoryBackend } from '../testing/durable-memory-backend.ts'
import { faultyBackend } from '../testing/faulty-backend.ts'
import { EverthreadChatMessageHistory } from './langchain.ts'

const SEED = Number(process.env['ADAPTER_SEED'] ?? 17)
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 25)

async function open(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  const places = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
  const history = await openChatHistory({ ...places, ...options })
  onTestFinished(() => history.close())
  return history
}

test('random programs end as in InMemoryChatMessageHistory', async () => {
  expect(await compareHistories(await open(), RUNS, SEED)).toBeGreaterThan(RUNS)
})

test('a message that LangChain itself stores without its id or its content comes back with them', async () => {
  const messages = new EverthreadChatMessageHistory(await open(), { sessionId: 'c' })
  const late = new AIMessage('a')
  late.id = 'late'
  const blocks = new AIMessage({ contentBlocks: [{ type: 'text', text: 'b' }] })
  const escaped = new HumanMessage({ content: 'c', additional_kwargs: { x: { lc: 1, type: 'x' } } })
  await messages.addMessages([late, blocks, escaped])
  const [first, second, third] = await messages.getMessages()
  expect(first!.id).toBe('late')
  expect(second!.contentBlocks).toEqual([{ type: 'text', text: 'b' }])
  expect(third!.additional_kwargs).toEqual({ x: { lc: 1, type: 'x' } })
})

test('a chunk is stored as the message that it is', async () => {
  const messages = new EverthreadChatMessageHistory(await open(), { sessionId: 'c' })
  const chunks = [{ id: '1', name: 'n', args: '{"a":1}', index: 0 }]
  await messages.addMessage(new AIMessageChunk({ content: 'a', tool_call_chunks: chunks }))
  const [read] = await messages.getMessages()
  expect(AIMessage.isInstance(read)).toBe(true)
  expect((read as AIMessage).tool_calls).toMatchObject([{ id: '1', name: 'n', args: { a: 1 } }])
})

test('what is added is read where messages are, and messages are messages of LangChain', async () => {
  const history = await open()
  const messages = new EverthreadChatMessageHistory(history, { sessionId: 'c' })
  await messages.addUserMessage('Oslo?')
  const tool_calls = [{ id: '1', name: 'weather', args: { city: 'Oslo' } }]
  await messages.addMessages([
    new AIMessage({ content: '', tool_calls, id: 'ai 1' }),
    new ToolMessage({ content: 'rain', tool_call_id: '1', artifact: { mm: 3 } }),
  ])
  const page = await history.getHistory('c')
  expect(page.messages).toMatchObject([
    { type: 'human', data: { content: 'Oslo?' } },
    { type: 'ai', data: { id: 'ai 1', tool_calls } },
    { type: 'tool', data: { content: 'rain', tool_call_id: '1', artifact: { mm: 3 } } },
  ])
  expect((await history.window('c', { maxMessages: 1 })).messages).toHaveLength(0)
  await history.saveItems('c', [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'Bergen?' }], name: 'Ann' },
    {
      role: 'assistant',
      content: null,
      toolCalls: [{ id: '2', function: { name: 'weather', arguments: '{"city":"Bergen"}' } }],
    },
    { role: 'tool', content: 'rain', toolCallId: '2' },
    { type: 'reasoning', summary: [] },
  ])
  const read = (await messages.getMessages()).slice(3)
  expect(read.map((message) => message.type)).toEqual(['system', 'human', 'ai', 'tool'])
  expect(read[1]).toMatchObject({ name: 'Ann', content: [{ type: 'text', text: 'Bergen?' }] })
  expect(read[2]).toMatchObject({ tool_calls: [{ id: '2', args: { city: 'Bergen' } }] })
  expect(read[3]).toMatchObject({ tool_call_id: '2' })
})

test('several are added at once or not at all', async () => {
  const history = await open()
  const messages = new EverthreadChatMessageHistory(history, { sessionId: 'c' })
  const bad = new HumanMessage({ content: 'c', additional_kwargs: { x: 10n } })
  const adding = messages.addMessages([new HumanMessage('a'), new HumanMessage('b'), bad])
  await expect(adding).rejects.toThrow('items[2].data.additional_kwargs.x')
  await expect(adding).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  const removal = messages.addMessages([new RemoveMessage({ id: '1' })])
  await expect(removal).rejects.toThrow('messages[0] must be one of human')
  expect(await messages.getMessages()).toEqual([])
  let groups = 0
  history.store.onWrite(() => groups++)
  await messages.addMessages([new HumanMessage('a'), new AIMessage('b'), new SystemMessage('c')])
  expect(groups).toBe(1)
})

test('a chain remembers, in two tenants apart, and again after a clear', async () => {
  const history = await open()
  const model = new FakeListChatModel({ responses: ['one', 'two', 'three', 'four'] })
  const chain = (tenant: string): RunnableWithMessageHistory<unknown, unknown> =>
    new RunnableWithMessageHistory({
      runnable: model,
      getMessageHistory: (sessionId: string) =>
        new EverthreadChatMessageHistory(history.forTenant(tenant), { sessionId }),
    })
  const config = { configurable: { sessionId: 's' } }
  await chain('a').invoke([new HumanMessage('first')], config)
  await chain('a').invoke([new HumanMessage('second')], config)
  await chain('b').invoke([new HumanMessage('other')], config)
  const read = async (tenant: string): Promise<unknown[]> => {
    const of = new EverthreadChatMessageHistory(history.forTenant(tenant), { sessionId: 's' })
    return (await of.getMessages()).map(({ content }) => content)
  }
  expect(await read('a')).toEqual(['first', 'one', 'second', 'two'])
  expect(await read('b')).toEqual(['other', 'three'])
  await new EverthreadChatMessageHistory(history.forTenant('a'), { sessionId: 's' }).clear()
  expect(await read('a')).toEqual([])
  await chain('a').invoke([new HumanMessage('again')], config)
  expect(await read('a')).toEqual(['again', 'four'])
  expect(await read('b')).toEqual(['other', 'three'])
})

test('an outage is an error with its effect or the answer of the backup, never an empty history', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const write = { type: 'idempotent', config: { timeout: 500, maxRetries: 0 } } as const
  const history = await open({ primary, backup, write })
  const messages = new EverthreadChatMessageHistory(history, { sessionId: 'c' })
  await messages.addUserMessage('a')
  await history.flush()
  primary.setMode('refused')
  expect(await messages.getMessages()).toMatchObject([{ content: 'a' }])
  await messages.addUserMessage('b')
  backup.setMode('refused')
  await expect(messages.getMessages()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  primary.setMode('up')
  backup.setMode('up')
  const contents = async (): Promise<unknown[]> =>
    (await messages.getMessages()).map(({ content }) => content)
  await expect.poll(contents).toEqual(['a', 'b'])
})

test.each([
  ['sessionId', {}],
  ['sessionId', { sessionId: '' }],
  ['session', { sessionId: 's', session: 1 }],
])('options: %s', async (named, options) => {
  const history = await open()
  expect(() => new EverthreadChatMessageHistory(history, options as never)).toThrow(named)
})
