/* Chats of the AI SDK in the conversation `c`. */
import type { UIMessage } from 'ai'
import type { EverthreadChats } from '../../src/adapters/ai-sdk.ts'
import type { ChatHistory } from '../../src/index.ts'

export function user(id: string, said: string): UIMessage {
  return { id, role: 'user', parts: [{ type: 'text', text: said }] }
}

/** Who said what, without what is no text. */
export async function textsOf(chats: EverthreadChats): Promise<string[]> {
  const messages = await chats.loadChat('c')
  return messages.map(({ role, parts }) => {
    const said = parts.map((part) => (part.type === 'text' ? part.text : `<${part.type}>`))
    return `${role}: ${said.join('')}`
  })
}

/** How far each stored message has come. */
export async function statuses(history: ChatHistory): Promise<unknown[]> {
  const { messages } = await history.getHistory('c')
  return messages.map(({ id, status }) => [id, status])
}
