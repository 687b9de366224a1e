// One of the processes of changes-processes.test.ts: writes messages, or follows a conversation and tells its
// parent of each change on a line of its own. It may be killed at any instruction.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const { entry, options, clockMs } = JSON.parse(process.argv[2])
// The wall clock of this process is off by this much.
const rightNow = Date.now
Date.now = () => rightNow() + clockMs

const { openChatHistory } = await import(pathToFileURL(entry).href)
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const history = await openChatHistory({ ...options, logger: false })

async function write(conversation, count, pauseMs) {
  for (let i = 0; i < count; i++) {
    const message = { id: `${process.pid}-${i}`, role: 'user', content: `${i}` }
    for (;;) {
      try {
        await history.saveMessage(conversation, message)
        break
      } catch (error) {
        // It has an id: a repeat is harmless.
        if (error.code === 'CONFLICT') throw error
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    tell({ saved: message.id })
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  tell({ done: true })
}

async function follow(conversationId, since) {
  const changes = history.subscribe({ conversationId, since })
  for await (const { type, message, after, before, cursor, position } of changes) {
    tell({ type, id: message?.id, after, before, cursor, position })
  }
}

tell({ open: true })
for await (const line of createInterface({ input: process.stdin })) {
  const { write: conversation, count, pauseMs, follow: followed, since, read } = JSON.parse(line)
  if (conversation !== undefined) void write(conversation, count, pauseMs)
  if (followed !== undefined) void follow(followed, since)
  if (read !== undefined) {
    const { conversation: of, after, before } = read
    const ids = []
    let from = after
    do {
      const page = await history.getHistory(of, {
        order: 'oldest',
        limit: 1000,
        after: from,
        before,
      })
      ids.push(...page.messages.map(({ id }) => id))
      from = page.nextCursor
    } while (from !== undefined)
    tell({ ids })
  }
}
await history.close()
