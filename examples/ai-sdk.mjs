// A chat of the AI SDK whose client goes away in the middle of an answer: `npm ci && npm run build`, then
// `node examples/ai-sdk.mjs`. The model is the SDK's mock; everything is kept below ./data.
import {
  convertToModelMessages,
  createUIMessageStreamResponse,
  simulateReadableStream,
  streamText,
  toUIMessageStream,
} from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { openChatHistory } from 'everthread'
import { EverthreadChats } from 'everthread/ai-sdk'

const history = await openChatHistory({
  primary: 'sqlite:./data/primary.db',
  backup: 'sqlite:./data/backup.db',
  wal: 'file:./data/wal',
})
const chats = new EverthreadChats(history, { pollMs: 50 })

/**
 * POST /api/chat
 * @param {string} chatId
 * @param {import('ai').UIMessage} message
 */
async function postChat(chatId, message) {
  const messages = [...(await chats.loadChat(chatId)), message]
  const turn = await chats.start({ chatId, messages })
  const result = streamText({
    model: mockModel(['The flight ', 'leaves ', 'at nine.']),
    messages: await convertToModelMessages(turn.messages),
    abortSignal: turn.signal,
  })
  const chunks = toUIMessageStream({
    stream: result.stream,
    originalMessages: turn.messages,
    generateMessageId: () => turn.id,
  })
  return createUIMessageStreamResponse({ stream: turn.record(chunks) })
}

/**
 * GET /api/chat/:id/stream
 * @param {string} chatId
 */
async function getStream(chatId) {
  const stream = await chats.resume(chatId)
  return stream === null
    ? new Response(null, { status: 204 })
    : createUIMessageStreamResponse({ stream })
}

/** @param {string[]} words */
function mockModel(words) {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 3, text: 3, reasoning: undefined },
  }
  return new MockLanguageModelV4({
    doStream: async () => ({
      stream: simulateReadableStream({
        initialDelayInMs: 100,
        chunkDelayInMs: 100,
        chunks: [
          { type: 'text-start', id: 't' },
          ...words.map((delta) => /** @type {const} */ ({ type: 'text-delta', id: 't', delta })),
          { type: 'text-end', id: 't' },
          { type: 'finish', finishReason: { unified: 'stop', raw: undefined }, usage },
        ],
      }),
    }),
  })
}

try {
  const chatId = `chat-${Date.now()}`
  const answer = await postChat(chatId, {
    id: 'q1',
    role: 'user',
    parts: [{ type: 'text', text: 'When does it leave?' }],
  })
  const reader = /** @type {ReadableStream} */ (answer.body).getReader()
  await reader.read()
  await reader.cancel()
  console.log('the client is gone')

  const events = await (await getStream(chatId)).text()
  const deltas = [...events.matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta)
  console.log(`resumed: ${deltas.join('')}`)
  console.log(`and then: ${(await getStream(chatId)).status}`)

  for (const { role, parts: said } of await chats.loadChat(chatId)) {
    const text = said.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
    console.log(`${role}: ${text}`)
  }
} finally {
  await history.close()
}
