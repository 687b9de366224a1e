// What every bundle is made of: a store that is opened, saved to, closed, opened again, read and compared. It prints
// what it saw as JSON. With ONLY_OPEN it ends after the first step.
import { openChatHistory } from 'everthread'

const warnings = []
const note = (fields, text) => void warnings.push([text, fields.error].join(' '))
const options = {
  primary: process.env.PRIMARY,
  backup: process.env.BACKUP,
  wal: process.env.WAL,
  // A machine that has other work is no outage.
  connectTimeout: 60_000,
  logger: { debug() {}, info() {}, warn: note, error: note },
}

async function main() {
  const first = await openChatHistory(options)
  if (process.env.ONLY_OPEN !== undefined) return { warnings }
  const receipts = []
  for (const content of ['one', 'two']) {
    receipts.push(await first.saveMessage('conversation', { role: 'user', content }))
  }
  await first.flush()
  await first.close()
  const second = await openChatHistory(options)
  const { messages } = await second.getHistory('conversation')
  const { primary, backup } = second.status().places
  const { missingInPrimary, missingInBackup } = await second.verify({ deep: true })
  await second.close()
  return {
    contents: messages.map(({ content }) => content),
    copies: Math.min(...receipts.map(({ copies }) => copies.length)),
    places: [primary.type, backup.type],
    missing: missingInPrimary + missingInBackup,
    warnings,
  }
}

void main()
  .catch((error) => ({ error: error.message, warnings }))
  .then((seen) => {
    console.log(JSON.stringify(seen))
    // A place that is tried again and again keeps nobody waiting.
    process.exit()
  })
