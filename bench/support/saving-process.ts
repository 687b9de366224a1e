/*
 * One process that saves when it is told to; `bench/growth.ts` starts several. Its argument is a
 * `SavingTask`; it sends `ready`, runs once for each `go`, answers with a `SavingRun`, and ends when the
 * channel is closed.
 */
import { openChatHistory } from '../../src/index.ts'
import { BODY } from './messages.ts'

export interface SavingTask {
  readonly primary: string
  readonly backup: string
  readonly wal: string
  /** Its conversations are its own. */
  readonly prefix: string
  readonly conversations: number
  readonly concurrency: number
  readonly count: number
}

/** Wall clock, since it is compared between processes of one machine. Milliseconds. */
export interface SavingRun {
  readonly startedAt: number
  readonly endedAt: number
  readonly latencies: readonly number[]
}

const task = JSON.parse(process.argv[2]!) as SavingTask
const { primary, backup, wal } = task
const history = await openChatHistory({ primary, backup, wal })

async function run(): Promise<SavingRun> {
  const latencies: number[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < task.count) {
      const conversation = `${task.prefix}${next++ % task.conversations}`
      const before = performance.now()
      await history.saveMessage(conversation, BODY)
      latencies.push(performance.now() - before)
    }
  }
  const startedAt = Date.now()
  await Promise.all(Array.from({ length: task.concurrency }, worker))
  return { startedAt, endedAt: Date.now(), latencies }
}

process.on('message', () => {
  void run().then((done) => process.send!(done))
})
process.once('disconnect', () => {
  void history.close().then(() => process.exit())
})
process.send!('ready')
