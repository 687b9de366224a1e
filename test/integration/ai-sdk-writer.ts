/* A process that writes an answer of the AI SDK, chunk after chunk, until it is killed; it tells what it has sent. */
import type { UIMessage } from 'ai'
import { EverthreadChats } from '../../src/adapters/ai-sdk.ts'
import { openChatHistory } from '../../src/index.ts'

const { options, messages } = JSON.parse(process.argv[3]!) as {
  readonly options: Parameters<typeof openChatHistory>[0]
  readonly messages: UIMessage[]
}
const history = await openChatHistory(options)
const chats = new EverthreadChats(history, { leaseMs: 3_000 })
const turn = await chats.start({ chatId: 'c', messages })
await turn.append({ type: 'text-start', id: 't' })
console.log(`started ${turn.id}`)
for (let i = 0; ; i++) {
  await turn.append({ type: 'text-delta', id: 't', delta: `${i} ` })
  await history.store.pause(20)
}
