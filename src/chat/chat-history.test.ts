import { expect, test } from 'vitest'
import { MemoryBackend } from '../backend/memory/memory-backend.ts'
import { chatHistoryConformance } from '../testing/chat-history-conformance.ts'
import type { ChatHistory } from './chat-history.ts'
import { openChatHistory, type ChatHistoryOptions } from './open-chat-history.ts'

async function open(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  return await openChatHistory({
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
    ...options,
  })
}

for (const write of ['idempotent', 'wal-first', 'dual-write'] as const) {
  for (const read of ['primary-first', 'failover'] as const) {
    chatHistoryConformance({
      name: `in memory, ${write}, ${read}`,
      open: () => open({ write, read }),
    })
  }
}

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
