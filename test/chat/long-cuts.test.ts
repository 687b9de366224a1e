// Goal: a cut with a long tail is as exact as a short one: what stays is shown, found and counted, forks keep theirs.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'

async function open(): Promise<ChatHistory> {
  const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  onTestFinished(() => history.close())
  return history
}

async function fill(history: ChatHistory, id: string, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += 1000) {
    const count = Math.min(1000, to - start)
    const messages = Array.from({ length: count }, (_, i) => {
      return { id: `m${start + i}`, role: 'user', content: `said ${start + i}` } as const
    })
    await history.saveMessages(id, messages)
  }
}

async function ids(history: ChatHistory, id: string): Promise<string[]> {
  const found: string[] = []
  for await (const message of history.messages(id)) found.push(message.id)
  return found
}

function named(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `m${from + i}`)
}

test('a cut far from the end leaves what stands before it, and forks what they share', async () => {
  const history = await open()
  await fill(history, 'c', 0, 5_300)
  await history.updateMessage('c', 'm3', { role: 'user', content: 'edited' })
  const middle = await history.fork('c', { from: 'm20', as: 'middle' })
  const end = await history.fork('c', { as: 'end' })
  const { removed } = await history.truncate('c', { from: 'm10' })
  expect(removed).toBe(5_290)
  expect(await ids(history, 'c')).toEqual(named(0, 10))
  expect(await history.countMessages('c')).toBe(10)
  expect((await history.getMessage('c', 'm3'))?.content).toBe('edited')
  expect(await history.getMessage('c', 'm10')).toBeUndefined()
  expect(await ids(history, middle.conversationId)).toEqual(named(0, 21))
  expect(await history.countMessages(end.conversationId)).toBe(5_300)

  await history.saveMessage('c', { id: 'next', role: 'user', content: 'next' })
  const again = await history.fork('c', { as: 'again' })
  await history.deleteMessage('c', 'm9')
  expect(await ids(history, 'c')).toEqual([...named(0, 9), 'next'])
  expect(await ids(history, again.conversationId)).toEqual([...named(0, 10), 'next'])
  const newest = await history.getHistory('c', { limit: 3, order: 'newest' })
  expect(newest.messages.map(({ id }) => id)).toEqual(['next', 'm8', 'm7'])
  expect(await history.forkedFrom('c')).toBeUndefined()
})

test('what was cut can be cut again, within what was kept, and cleared', async () => {
  const history = await open()
  await fill(history, 'c', 0, 5_200)
  await history.fork('c', { from: 'm5100', as: 'fork' })
  await fill(history, 'fork', 6_000, 6_050)
  expect((await history.truncate('fork', { from: 'm30' })).removed).toBe(5_071 + 50)
  expect(await ids(history, 'fork')).toEqual(named(0, 30))
  expect(await history.countMessages('c')).toBe(5_200)
  await fill(history, 'fork', 7_000, 12_500)
  expect((await history.truncate('fork', { from: 'm20' })).removed).toBe(5_510)
  expect(await ids(history, 'fork')).toEqual(named(0, 20))
  expect(await history.getMessage('fork', 'm25')).toBeUndefined()
  await history.clearHistory('c')
  expect(await ids(history, 'fork')).toEqual(named(0, 20))
  const resent = await history.editAndResend('fork', 'm5', {
    id: 'new',
    role: 'user',
    content: 'x',
  })
  expect(await ids(history, 'fork')).toEqual([...named(0, 5), 'new'])
  expect(await ids(history, resent.kept)).toEqual(named(0, 20))
  await history.clearHistory('fork')
  expect(await ids(history, 'fork')).toEqual([])
  expect(await ids(history, resent.kept)).toEqual(named(0, 20))
  expect((await history.truncate(resent.kept, { from: 'm0' })).removed).toBe(20)
})
