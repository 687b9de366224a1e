import { openChatHistory } from 'everthread'

const warnings = []
const note = (fields, text) => void warnings.push([text, fields.error].join(' '))
let opening

/** Opened by the first request: Next.js loads this file while it builds, too. */
function open() {
  opening ??= openChatHistory({
    primary: process.env.PRIMARY,
    backup: process.env.BACKUP,
    wal: process.env.WAL,
    // A machine that has other work is no outage.
    connectTimeout: 60_000,
    logger: { debug() {}, info() {}, warn: note, error: note },
  })
  return opening
}

export async function POST(request) {
  const history = await open()
  const { content } = await request.json()
  const { copies } = await history.saveMessage('conversation', { role: 'user', content })
  const { messages } = await history.getHistory('conversation')
  const { primary, backup } = history.status().places
  return Response.json({
    contents: messages.map((message) => message.content),
    copies: copies.length,
    places: [primary.type, backup.type],
    warnings,
  })
}
