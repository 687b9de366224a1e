// A chat that keeps its history: `npm ci && npm run build`, then `node examples/chat.mjs`.
// Everything is kept below ./data; run it again and the conversation goes on.
import { isStorageError, openChatHistory } from 'everthread'

const history = await openChatHistory({
  primary: 'sqlite:./data/primary.db',
  backup: 'sqlite:./data/backup.db',
  wal: 'file:./data/wal',
})
const stopWatching = history.on('degraded', ({ copies }) => {
  console.warn(`a save has one copy only: ${copies.join(', ')}`)
})

try {
  const conversation = 'example'
  // With an id of your own a save can be repeated, after a timeout for instance: it is stored once.
  /** @satisfies {import('everthread').NewMessage} */
  const question = { id: `question-${Date.now()}`, role: 'user', content: 'Are you still there?' }
  for (let attempt = 1; ; attempt++) {
    try {
      const receipt = await history.saveMessage(conversation, question)
      console.log(`saved ${receipt.id}: ${receipt.copies.join(' and ')} have it`)
      break
    } catch (error) {
      const isWorthRetrying =
        isStorageError(error, 'UNAVAILABLE') || isStorageError(error, 'TIMEOUT')
      if (!isWorthRetrying || attempt === 3) throw error
    }
  }
  await history.saveMessage(conversation, { role: 'assistant', content: 'I am.' })

  const { messages, nextCursor, complete } = await history.getHistory(conversation, { limit: 10 })
  for (const { createdAt, role, content } of messages) console.log(createdAt, role, content)
  if (nextCursor !== undefined) console.log('… and older ones')
  if (!complete) console.log('another process may have saved more')
  console.log(`the store is ${history.status().overall}`)
} finally {
  stopWatching()
  // Brings what is pending to both databases. Without it a program may end before that.
  await history.close()
}
