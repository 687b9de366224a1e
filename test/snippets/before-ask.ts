import type { ChatMessage } from 'everthread'

async function askModel(messages: readonly ChatMessage[]): Promise<string> {
  return `You said: ${String(messages.at(-1)?.content)}`
}
