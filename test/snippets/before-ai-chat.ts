import { simulateReadableStream } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { openChatHistory } from 'everthread'

const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
}
const model = new MockLanguageModelV4({
  doStream: async () => ({
    stream: simulateReadableStream({
      chunks: [
        { type: 'text-start', id: 't' },
        { type: 'text-delta', id: 't', delta: 'At nine.' },
        { type: 'text-end', id: 't' },
        { type: 'finish', finishReason: { unified: 'stop', raw: undefined }, usage },
      ],
    }),
  }),
})
