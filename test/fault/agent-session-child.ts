// A process of openai-agents-conformance.test.ts: on one session it replaces three items by three others, over and over,
// and dies when the primary is about to be written for the so-many-th time; or it pops what is there. What it has done it
// says line by line.
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { EverthreadSession } from '../../src/adapters/openai-agents.ts'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { replacement } from '../support/agent-transactions.ts'

const [path, places, work, first, at] = process.argv.slice(3)
const primary = faultyBackend(new SqliteBackend({ path: path! }))
const options = JSON.parse(places!) as ChatHistoryOptions
const history = await openChatHistory({ ...options, primary })
const session = new EverthreadSession(history, { sessionId: 's', decide: 'primary' })

const tell = (text: string): void => void process.stdout.write(`${text}\n`)

if (work === 'replace') {
  let writes = 0
  primary.onCall((operation) => {
    if (operation === 'apply' && ++writes === Number(at)) process.kill(process.pid, 'SIGKILL')
  })
  for (let i = Number(first); ; i++) {
    await session.applyHistoryTransaction(replacement(i))
    tell(`done ${i}`)
  }
}
tell('ready')
await new Promise((resolve) => process.stdin.once('data', resolve))
for (;;) {
  const item = await session.popItem()
  if (item === undefined) break
  tell(`popped ${(item as { content: string }).content}`)
}
await history.close()
tell('ended')
process.exit(0)
