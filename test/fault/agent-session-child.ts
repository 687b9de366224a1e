// A process of openai-agents-conformance.test.ts: on one session it replaces three items by three others, over and over,
// until it is killed, or it pops what is there. What it has done it says line by line.
import { EverthreadSession } from '../../src/adapters/openai-agents.ts'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { replacement } from '../support/agent-transactions.ts'

const [options, work, first] = process.argv.slice(3)
const history = await openChatHistory(JSON.parse(options!) as ChatHistoryOptions)
const session = new EverthreadSession(history, { sessionId: 's', decide: 'primary' })

const tell = (text: string): void => void process.stdout.write(`${text}\n`)

if (work === 'replace') {
  tell('ready')
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
