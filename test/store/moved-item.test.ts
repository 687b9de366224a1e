// Goal: an update or a removal lasts, though its item stands further on than its writer had read.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import { json } from '../../src/testing/backend/operations.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'

/** `m1` was read at a place that does not know yet of its second position, which the primary has. */
async function movedMessage(): Promise<{
  readonly history: ChatHistory
  readonly change: Parameters<ChatHistory['store']['editItem']>
}> {
  const primary = new DurableMemoryBackend()
  const history = await openChatHistory({
    primary,
    backup: new DurableMemoryBackend(),
    wal: 'memory:',
    reconcile: false,
    tenant: 't',
  })
  onTestFinished(() => history.close())
  const receipt = await history.saveMessage('c', { id: 'm1', role: 'user', content: 'old' })
  const { position: later } = await history.saveMessage('c', { role: 'user', content: 'other' })
  await history.flush()
  const key = conversationKey('t', 'c')
  const value = json({ role: 'user', content: 'again' })
  const again = { kind: 'put', change: 'append', key, id: 'm1', value } as const
  await primary.apply([{ ...again, position: later, stamp: later }])
  const edited = { role: 'user', content: 'edited' }
  return { history, change: [key, 'm1', receipt.position, edited] }
}

async function shown(history: ChatHistory): Promise<unknown[]> {
  return (await history.getHistory('c')).messages.map(({ content }) => content)
}

test('an update goes to where the item stands, and is not cleared with where it stood', async () => {
  const { history, change } = await movedMessage()
  await history.store.editItem(...change)
  const [key, , position] = change
  // A clear of the time between the two positions, which this process had not heard of.
  await history.store.deleteThrough(key, position)
  expect(await shown(history)).toContain('edited')
})

test('a removal does as well', async () => {
  const { history, change } = await movedMessage()
  const [key, id, position] = change
  await history.store.removeItem(key, id, position)
  await history.store.deleteThrough(key, position)
  expect(await shown(history)).toEqual(['other'])
})
