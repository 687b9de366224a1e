// Mastra: each save is a transaction that also sets the thread's time. Versions from 1 on need Node 22.13.
import { PostgresStore } from '@mastra/pg'

export const title = 'Mastra PostgresStore'
export const packages = ['@mastra/pg', '@mastra/core']
export const promise = 'primary'
export const reading = 'the latest 50'

export async function open({ url, connections }) {
  const store = new PostgresStore({ connectionString: url, max: connections })
  await store.init()
  const threads = new Map()
  const thread = (id) => {
    const known = threads.get(id)
    if (known !== undefined) return known
    const now = new Date()
    const made = store.saveThread({
      thread: { id, resourceId: 'user', title: id, createdAt: now, updatedAt: now, metadata: {} },
    })
    threads.set(id, made)
    return made
  }
  return {
    save: async (conversation, number, { role, content }) => {
      await thread(conversation)
      const message = {
        id: `${conversation}-${number}`,
        threadId: conversation,
        resourceId: 'user',
        role,
        createdAt: new Date(),
        content: { format: 2, parts: [{ type: 'text', text: content }] },
      }
      await store.saveMessages({ messages: [message], format: 'v2' })
    },
    latest: async (conversation, limit) => {
      const selectBy = { last: limit }
      const found = await store.getMessages({ threadId: conversation, selectBy, format: 'v2' })
      return found.length
    },
    close: () => store.close(),
  }
}
