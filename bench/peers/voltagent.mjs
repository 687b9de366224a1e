// VoltAgent: each save holds one connection and asks for the conversation on a second one. With no more
// connections than saves at a time all wait for each other for ever, so it gets two for each.
import { PostgreSQLMemoryAdapter } from '@voltagent/postgres'

export const title = 'VoltAgent PostgreSQLMemoryAdapter'
export const packages = ['@voltagent/postgres', '@voltagent/core']
export const promise = 'primary'
export const reading = 'the latest 50'

export async function open({ url, concurrencyMax }) {
  const memory = new PostgreSQLMemoryAdapter({
    connection: url,
    maxConnections: 2 * concurrencyMax,
  })
  const known = new Map()
  const conversation = (id) => {
    const found = known.get(id)
    if (found !== undefined) return found
    const input = { id, resourceId: 'agent', userId: 'user', title: id, metadata: {} }
    const made = memory.createConversation(input)
    known.set(id, made)
    return made
  }
  return {
    save: async (id, number, { role, content }) => {
      await conversation(id)
      const message = { id: `${id}-${number}`, role, parts: [{ type: 'text', text: content }] }
      await memory.addMessage(message, 'user', id)
    },
    latest: async (id, limit) => (await memory.getMessages('user', id, { limit })).length,
    close: () => memory.close(),
  }
}
