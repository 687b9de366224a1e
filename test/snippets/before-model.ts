import { openChatHistory, type ChatMessage } from 'everthread'

const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })

async function askModel(messages: readonly ChatMessage[]): Promise<string> {
  return `You said: ${String(messages.at(-1)?.content)}`
}
