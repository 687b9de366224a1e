// A process that writes a message as a stream and prints, for each delta, when it was appended and how much
// that makes. It appends until it is killed.
import { setTimeout as pause } from 'node:timers/promises'
import { openChatHistory } from '../../src/index.ts'

const [primary, backup, wal] = process.argv.slice(3)
const history = await openChatHistory({ primary: primary!, backup: backup!, wal: wal! })
const stream = await history.startMessage('c', { role: 'assistant', id: 'm' }, { leaseMs: 3_000 })
process.stdout.write('started\n')
for (let i = 0, text = ''; ; i++) {
  const delta = `${i} `
  await stream.append(delta)
  text += delta
  process.stdout.write(`${Date.now()} ${text.length}\n`)
  await pause(5)
}
