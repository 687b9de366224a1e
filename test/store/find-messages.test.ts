// Goal: messages are found by their ids alone, no further than was said, in one tenant, and an outage is no absence.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'

async function opened(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  const history = await openChatHistory({
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
    ...options,
  })
  onTestFinished(() => history.close())
  return history
}

function said(id: string): { id: string; role: 'user'; content: string } {
  return { id, role: 'user', content: `said ${id}` }
}

test('of an id that several conversations have the latest active one shows it, or each that was named', async () => {
  const history = await opened()
  await history.saveMessages('a', [said('m'), said('n')])
  await history.saveMessage('b', said('m'))
  const shown = async (conversationIds?: string[]): Promise<string[]> => {
    const { messages } = await history.findMessages(
      ['n', 'm'],
      conversationIds && { conversationIds },
    )
    return messages.map(({ conversationId, message }) => `${message.id} in ${conversationId}`)
  }
  expect(await shown()).toEqual(['n in a', 'm in b'])
  expect(await shown(['a', 'b'])).toEqual(['n in a', 'm in a', 'm in b'])
  expect(await shown(['b', 'nobody'])).toEqual(['m in b'])
  await history.deleteMessage('b', 'm')
  await history.clearHistory('a')
  expect(await shown()).toEqual([])
  expect(await history.findMessages([])).toEqual({ messages: [], done: true, complete: true })
})

test('what is in more conversations than may be looked at is said to be left out', async () => {
  const history = await opened()
  for (const id of ['a', 'b', 'c']) await history.saveMessage(id, said(`m${id}`))
  const find = async (id: string, maxConversations: number): Promise<unknown> => {
    const { messages, done } = await history.findMessages([id], { maxConversations })
    return [messages.length, done]
  }
  expect(await find('mc', 1)).toEqual([1, true])
  expect(await find('mb', 1)).toEqual([0, false])
  expect(await find('mb', 2)).toEqual([1, true])
  expect(await find('ma', 3)).toEqual([1, true])
  expect(await find('none', 4)).toEqual([0, true])
})

test('nothing is found of another tenant, nor what is no message', async () => {
  const history = await opened()
  await history.saveMessage('c', said('m'))
  await history.createConversation('r', { title: 'T' })
  const other = history.forTenant('other')
  expect((await other.findMessages(['m'])).messages).toEqual([])
  expect((await history.findMessages(['title', 'owner', 'created'])).messages).toEqual([])
})

test.each([
  [['x', 5], {}, 'id must be a string, got number'],
  [Array.from({ length: 1000 }, (_, i) => `${i}`), {}, 'ids must be at most 999, got 1000'],
  [['x'], { conversationIds: [''] }, 'conversationIds[0] must not be empty'],
  [
    ['x'],
    { conversationIds: Array(1001).fill('c') },
    'conversationIds must be at most 1000, got 1001',
  ],
  [['x'], { maxConversations: 0 }, 'maxConversations must be an integer from 1 to 100000, got 0'],
])('a call that asks for too much is refused %#', async (ids, options, text) => {
  const history = await opened()
  const call = history.findMessages(ids as string[], options)
  await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(call).rejects.toThrow(text)
})

test('from the backup it says that it may not be complete, and with both out it is an error', async () => {
  const env = virtualEnv()
  const stored = [new DurableMemoryBackend(env), new DurableMemoryBackend(env)]
  const [primary, backup] = stored.map(faultyBackend) as [FaultyBackend, FaultyBackend]
  const history = await env.drive(openChatHistory({ env, primary, backup, wal: 'memory:' }))
  onTestFinished(() => env.drive(history.close()))
  await env.drive(history.saveMessage('c', said('m')))
  await env.drive(history.flush())
  primary.setMode('refused')
  for (const options of [{}, { conversationIds: ['c'] }]) {
    const { messages, complete } = await env.drive(history.findMessages(['m', 'n'], options))
    expect(messages).toMatchObject([{ conversationId: 'c', message: { id: 'm' } }])
    expect(complete).toBe(false)
  }
  backup.setMode('refused')
  for (const options of [{}, { conversationIds: ['c'] }]) {
    await expect(env.drive(history.findMessages(['m'], options))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
  }
})
