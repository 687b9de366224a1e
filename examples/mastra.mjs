// A Mastra agent whose memory is kept in two databases. In a folder with its packages:
// `npm i everthread @mastra/core @mastra/memory && node mastra.mjs`, with Node 22.13 or later. Run it again: it remembers.
import { Agent } from '@mastra/core/agent'
import { InMemoryStore, MastraCompositeStore } from '@mastra/core/storage'
import { createMockModel } from '@mastra/core/test-utils/llm-mock'
import { Memory } from '@mastra/memory'
import { openChatHistory } from 'everthread'
import { EverthreadMemory } from 'everthread/mastra'

const history = await openChatHistory({
  primary: process.env['PRIMARY_URL'] ?? 'sqlite:./data/primary.db',
  backup: process.env['BACKUP_URL'] ?? 'sqlite:./data/backup.db',
  wal: 'file:./data/wal',
})
try {
  const storage = new MastraCompositeStore({
    id: 'app',
    default: new InMemoryStore(),
    domains: { memory: new EverthreadMemory(history) },
  })
  const agent = new Agent({
    id: 'guide',
    name: 'guide',
    instructions: 'Answer in one sentence.',
    // Your model in place of this one, which needs no key: `model: 'openai/gpt-5'`.
    model: createMockModel({ mockText: 'A lighthouse.', version: 'v2' }),
    memory: new Memory({ storage, options: { lastMessages: 20 } }),
  })

  const memory = { thread: 'trip', resource: 'user-1' }
  const { text } = await agent.generate('What is in the picture?', { memory })
  console.log(text)

  // The same conversation, as everthread has it.
  for await (const { role, createdAt } of history.messages('trip')) console.log(role, createdAt)
  const { conversations } = await history.listConversations({ owner: 'user-1' })
  console.log(conversations.length, await history.countMessages('trip'))
} finally {
  await history.close()
}
