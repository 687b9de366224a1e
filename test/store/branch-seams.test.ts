// Goal: what is said of a fork, by its record, lists and searches, is what it shows.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'

async function open(): Promise<ChatHistory> {
  const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  onTestFinished(() => history.close())
  return history
}

test('a fork is counted as it is shown, with and without messages of its own', async () => {
  const history = await open()
  const texts = ['1', '2', '3']
  await history.saveMessages(
    'c',
    texts.map((id) => ({ id, role: 'user', content: id })),
  )
  await history.fork('c', { from: '2', as: 'fork' })
  expect(await history.getConversation('fork')).toMatchObject({ messageCount: 2 })
  await history.saveMessage('fork', { role: 'user', content: 'own' })
  expect(await history.getConversation('fork')).toMatchObject({ messageCount: 3 })
  const { conversations } = await history.listConversations({ countMessages: true })
  expect(conversations.map((each) => [each.conversationId, each.messageCount])).toEqual([
    ['fork', 3],
    ['c', 3],
  ])
})
