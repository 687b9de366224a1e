// The handler of a function, as docs/deploying.md has it.
import { openChatHistory } from 'everthread'

const opening = openChatHistory({
  primary: process.env.PRIMARY,
  backup: process.env.BACKUP,
  wal: process.env.WAL,
  write: 'dual-write',
})

export async function handler({ conversation, content }) {
  const history = await opening
  const receipt = await history.saveMessage(conversation, { role: 'user', content })
  // Nothing runs between two calls. What a database that is out lacks stays in the log.
  await history.store.flushWAL(Number(process.env.FLUSH_MS ?? 2_000)).catch(() => undefined)
  return receipt
}
