/*
 * A chat with an agent of VoltAgent whose memory is kept here. The model is a fake. Needs `npm install everthread @voltagent/core ai
 * zod`; run it twice.
 */
import { setTimeout } from 'node:timers/promises'
import { Agent, Memory } from '@voltagent/core'
import { openChatHistory } from 'everthread'
import { EverthreadStorage } from 'everthread/voltagent'

/** Answers after a second with the number of messages that it was shown: VoltAgent saves the question meanwhile. */
const model = {
  specificationVersion: 'v3',
  provider: 'fake',
  modelId: 'fake',
  supportedUrls: {},
  async doGenerate({ prompt }) {
    await setTimeout(1_000)
    return {
      content: [{ type: 'text', text: `I was shown ${prompt.length} messages.` }],
      finishReason: { unified: 'stop', raw: 'stop' },
      usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
      warnings: [],
    }
  },
}

await using history = await openChatHistory()
const memory = new Memory({ storage: new EverthreadStorage(history) })
const agent = new Agent({ name: 'counter', instructions: 'Count.', model, memory })

const place = { userId: 'ann', conversationId: 'first' }
const { text } = await agent.generateText('Hello', place)
console.log(`answer: ${text}`)

const [conversation] = await memory.queryConversations({ userId: 'ann', limit: 10 })
console.log(`conversation: ${conversation?.id} of ${conversation?.userId}`)
for (const { role, parts } of await memory.getMessages('ann', 'first')) {
  console.log('memory:', role, JSON.stringify(parts))
}
for await (const message of history.messages('first')) {
  console.log('stored:', message.role, message.userId, message.parts.length)
}
await history.close()
// The framework's timers would hold the process.
process.exit(0)
