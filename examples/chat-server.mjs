// A chat server that streams its answers and never loses one. docs/tutorial.md explains it, step by step.
//   npm ci && npm run build
//   DATABASE_URL=postgresql://… node examples/chat-server.mjs
// POST /chat/ID with { "id", "content" } streams an answer, GET /chat/ID is the history, GET /health the state.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { isStorageError, openChatHistory } from 'everthread'

/** @typedef {import('node:http').IncomingMessage} Request */
/** @typedef {import('node:http').ServerResponse} Response */
/** @typedef {{ id: string, content: string }} Question */

const BODY_BYTES_MAX = 100_000
const SAVE_EVERY_MS = 500

const history = await openChatHistory({
  primary: process.env['DATABASE_URL'] ?? 'sqlite:./data/primary.db',
  backup: 'sqlite:./data/backup.db',
  wal: 'file:./data/wal',
})
history.on('health', ({ place, healthy }) => {
  console.log(`${place} ${healthy ? 'answers again' : 'does not answer'}`)
})
/** Questions that are being answered now. */
const running = new Set()

/**
 * In place of a model: says the question back, a word at a time. Yours takes the messages and yields text.
 * @param {readonly import('everthread').ChatMessage[]} messages
 */
async function* askModel(messages) {
  const asked = messages.filter(({ role }) => role === 'user')
  const text = `That was question ${asked.length}. You said: ${String(asked.at(-1)?.content)}`
  for (const word of text.split(/(?<= )/)) {
    await wait(Number(process.env['WORD_MS'] ?? 100))
    yield word
  }
}

/**
 * Saves the question, streams the answer and saves it while it grows. The same question may be sent again at any
 * time: a finished answer is repeated, an unfinished one is made again.
 * @param {string} conversation
 * @param {Question} question
 * @param {(text: string) => void} send
 */
async function chat(conversation, { id, content }, send) {
  const { copies } = await history.saveMessage(conversation, { id, role: 'user', content })
  console.log(`${conversation}: question ${id} is in ${copies.join(' and ')}`)

  const answerId = `${id}-answer`
  const earlier = await history.getMessage(conversation, answerId)
  if (earlier?.metadata?.['state'] === 'done') return send(String(earlier.content))

  const { messages } = await history.getHistory(conversation, { limit: 50 })
  let isSaved = earlier !== undefined
  let text = ''
  let savedAt = Date.now()
  const save = async (/** @type {'streaming' | 'done'} */ state) => {
    /** @satisfies {import('everthread').NewMessage} */
    const answer = { id: answerId, role: 'assistant', content: text, metadata: { state } }
    if (isSaved) await history.updateMessage(conversation, answerId, answer)
    else await history.saveMessage(conversation, answer)
    isSaved = true
    savedAt = Date.now()
  }
  for await (const word of askModel(messages.filter((message) => message.id !== answerId))) {
    text += word
    send(word)
    if (Date.now() - savedAt >= SAVE_EVERY_MS) await save('streaming')
  }
  await save('done')
}

/** @param {Request} request @returns {Promise<Question>} */
async function readQuestion(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > BODY_BYTES_MAX) throw new BadRequest('the body is too large')
  }
  const { id, content } = parse(text)
  if (typeof id === 'string' && typeof content === 'string') return { id, content }
  throw new BadRequest('send { "id": text, "content": text }')
}

/** @param {string} text @returns {Record<string, unknown>} */
function parse(text) {
  try {
    return Object(JSON.parse(text))
  } catch {
    throw new BadRequest('the body is not JSON')
  }
}

class BadRequest extends Error {}

/** @param {Request} request @param {Response} response */
async function handle(request, response) {
  const [, page, conversation] = (request.url ?? '').split('/').map(decodeURIComponent)
  if (page === 'health' && request.method === 'GET') {
    const { overall } = history.status()
    return sendJson(response, overall === 'down' ? 503 : 200, { overall })
  }
  if (page !== 'chat' || !conversation) return sendJson(response, 404, { error: 'not found' })
  if (request.method === 'GET') {
    const { messages, complete } = await history.getHistory(conversation, { limit: 100 })
    return sendJson(response, 200, { messages, complete })
  }
  if (request.method !== 'POST') return sendJson(response, 405, { error: 'GET or POST' })

  const question = await readQuestion(request)
  const name = JSON.stringify([conversation, question.id])
  if (running.has(name)) return sendJson(response, 409, { error: 'it is being answered' })
  running.add(name)
  try {
    // A client that has gone misses the words, and finds the answer when it comes back.
    await chat(conversation, question, (text) => {
      if (!response.headersSent) response.setHeader('content-type', 'text/plain; charset=utf-8')
      response.write(text)
    })
    response.end('\n')
  } finally {
    running.delete(name)
  }
}

/** @param {Response} response @param {unknown} error */
function sendError(response, error) {
  if (response.headersSent) {
    console.error(error)
    return void response.destroy()
  }
  const message = error instanceof Error ? error.message : String(error)
  if (
    error instanceof BadRequest ||
    error instanceof URIError ||
    isStorageError(error, 'INVALID_ARGUMENT')
  )
    sendJson(response, 400, { error: message })
  else if (isStorageError(error, 'CONFLICT')) sendJson(response, 409, { error: message })
  else if (isStorageError(error)) sendJson(response, 503, { error: message, effect: error.effect })
  else {
    console.error(error)
    sendJson(response, 500, { error: 'a bug, see the log of the server' })
  }
}

/** @param {Response} response @param {number} status @param {unknown} value */
function sendJson(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(value)}\n`)
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => sendError(response, error))
})
server.listen(Number(process.env['PORT'] ?? 3000))
await once(server, 'listening')
console.log(`listening on http://localhost:${Object(server.address()).port}`)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close()
    await history.close()
    process.exit()
  })
}
