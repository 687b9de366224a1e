import { describe, expect, test } from 'vitest'
import { MemoryBackend } from '../backend/memory/memory-backend.ts'
import { openChatHistory, type ChatHistoryOptions } from './open-chat-history.ts'
import type { ChatHistory } from './chat-history.ts'

async function open(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  return await openChatHistory({
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
    ...options,
  })
}

describe.each(['idempotent', 'wal-first', 'dual-write'] as const)('%s', (write) => {
  test('a saved message is read back with its id, time and fields', async () => {
    await using history = await open({ write })
    const receipt = await history.saveMessage('c', { role: 'user', content: 'Hello', mood: 'good' })
    const { messages } = await history.getHistory('c')
    expect(messages).toEqual([
      {
        id: receipt.id,
        role: 'user',
        content: 'Hello',
        mood: 'good',
        createdAt: expect.any(String),
      },
    ])
  })

  test('a thousand concurrent saves are all there once, in the order of their positions', async () => {
    await using history = await open({ write })
    const receipts = await Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        history.saveMessage('c', { role: 'user', content: `${i}` }),
      ),
    )
    const seen: string[] = []
    for await (const message of history.messages('c')) seen.push(message.id)
    expect(seen).toEqual(receipts.map(({ id }) => id).sort())
    expect(await history.countMessages('c')).toBe(1000)
  })

  test('the same id with the same content is stored once, with other content it is a conflict', async () => {
    await using history = await open({ write })
    const message = { id: 'm1', role: 'user', content: 'once' } as const
    const [first, second] = await Promise.all([
      history.saveMessage('c', message),
      history.saveMessage('c', message),
    ])
    expect(second.position).toBe(first.position)
    await expect(history.saveMessage('c', { ...message, content: 'twice' })).rejects.toMatchObject({
      code: 'CONFLICT',
      effect: 'none',
    })
    expect((await history.getHistory('c')).messages).toHaveLength(1)
  })

  test('a cleared conversation stays clear and can be used again', async () => {
    await using history = await open({ write })
    await history.saveMessage('c', { role: 'user', content: 'old' })
    const receipt = await history.clearHistory('c', { wait: 'everywhere' })
    expect(receipt.clear).toEqual(['primary', 'backup'])
    await history.saveMessage('c', { role: 'user', content: 'new' })
    await history.flush()
    expect((await history.getHistory('c')).messages.map(({ content }) => content)).toEqual(['new'])
  })

  test('messages can be updated and removed, and listed conversations follow activity', async () => {
    await using history = await open({ write })
    const { id } = await history.saveMessage('a', { role: 'user', content: 'draft' })
    const { id: gone } = await history.saveMessage('a', { role: 'assistant', content: 'no' })
    await history.saveMessage('b', { role: 'user', content: 'later' })
    await history.updateMessage('a', id, { role: 'user', content: 'final' })
    await history.deleteMessage('a', gone)
    await history.deleteMessage('a', gone)
    expect((await history.getHistory('a')).messages.map(({ content }) => content)).toEqual([
      'final',
    ])
    const { conversations } = await history.listConversations()
    expect(conversations.map(({ conversationId }) => conversationId)).toEqual(['b', 'a'])
    await expect(
      history.updateMessage('a', 'nobody', { role: 'user', content: 'x' }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('pages go backwards and forwards without gaps', async () => {
    await using history = await open({ write })
    for (let i = 0; i < 23; i++) await history.saveMessage('c', { role: 'user', content: `${i}` })
    const back: unknown[] = []
    let before: string | undefined
    do {
      const page = await history.getHistory('c', { limit: 5, ...(before && { before }) })
      back.unshift(...page.messages.map(({ content }) => content))
      before = page.nextCursor
    } while (before !== undefined)
    const all = Array.from({ length: 23 }, (_, i) => `${i}`)
    expect(back).toEqual(all)
    const forth: unknown[] = []
    for await (const { content } of history.messages('c')) forth.push(content)
    expect(forth).toEqual(all)
  })
})

test('after close both databases hold everything', async () => {
  const primary = new MemoryBackend()
  const backup = new MemoryBackend()
  const history = await open({ primary, backup })
  await history.saveMessages('c', [
    { role: 'user', content: '1' },
    { role: 'assistant', content: '2' },
  ])
  await history.close()
  for (const place of [primary, backup]) {
    await place.connect()
    expect(await place.countItems('chat/0::c')).toMatchObject({ count: 2 })
  }
})
