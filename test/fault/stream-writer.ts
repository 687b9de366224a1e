// A process that writes a message as a stream and prints, for each delta, when it was appended, how much that makes,
// how late the latest of its timers was, and how long the longest of other saves took. It goes on until it is killed.
import { setTimeout as pause } from 'node:timers/promises'
import { openChatHistory } from '../../src/index.ts'

const [primary, backup, wal] = process.argv.slice(3)
const history = await openChatHistory({ primary: primary!, backup: backup!, wal: wal! })
const stream = await history.startMessage('c', { role: 'assistant', id: 'm' }, { leaseMs: 3_000 })
process.stdout.write('started\n')
const PAUSE_MS = 5
let saveMs = 0

/** Saves beside it, which take as long as its own. */
async function probe(): Promise<void> {
  for (let i = 0; ; i++) {
    const began = Date.now()
    const unfinished = setInterval(() => (saveMs = Math.max(saveMs, Date.now() - began)), 1)
    await history.saveMessage('probe', { role: 'user', content: `${i}` })
    clearInterval(unfinished)
    saveMs = Math.max(saveMs, Date.now() - began)
    await pause(20)
  }
}

void probe()
let lateMs = 0
let text = ''
for (let i = 0; ; i++) {
  const delta = `${i} `
  await stream.append(delta)
  text += delta
  const at = Date.now()
  process.stdout.write(`${at} ${text.length} ${lateMs} ${saveMs}\n`)
  await pause(PAUSE_MS)
  lateMs = Math.max(lateMs, Date.now() - at - PAUSE_MS)
}
