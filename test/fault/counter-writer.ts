// One of the processes of conditional-counter.test.ts: writers that add one to a counter, each time under the stamp
// that they read, and in the same group append an item that names the increment. What they begin and how it ends is
// in a file, line by line: the process is killed at any instruction.
import { openSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { openChatHistory, isStorageError, type ChatHistoryOptions } from '../../src/index.ts'
import type { StrategicStorageManager } from '../../src/index.ts'

export interface CounterWork {
  readonly options: ChatHistoryOptions
  readonly decide: 'anywhere' | 'primary'
  readonly name: string
  readonly writers: number
  readonly file: string
}

const OPEN_TRIES_MAX = 100

const work = JSON.parse(process.argv[3]!) as CounterWork
const file = openSync(work.file, 'a')
writeSync(file, '\n')
let isStopped = false

const tell = (id: string, what: 'began' | 'done' | 'none' | 'unknown', text = ''): void => {
  writeSync(file, `${JSON.stringify({ id, what, text })}\n`)
}

async function increment(store: StrategicStorageManager, id: string): Promise<void> {
  while (!isStopped) {
    try {
      const entry = await store.getEntry<number>('counter')
      if (entry === undefined) throw new Error('the counter is gone')
      tell(id, 'began')
      await store.write(
        [
          { kind: 'set', key: 'counter', value: entry.value + 1 },
          { kind: 'append', key: 'increments', id, value: id },
        ],
        { if: [{ key: 'counter', stamp: entry.stamp }], decide: work.decide },
      )
      tell(id, 'done')
      return
    } catch (error) {
      if (!isStorageError(error)) throw error
      if (error.effect === 'unknown') {
        tell(id, 'unknown', `${error.code}: ${error.message}`)
        return
      }
      tell(id, 'none', error.code)
      await delay(error.code === 'CONFLICT' ? Math.random() * 20 : 50)
    }
  }
}

async function open(): Promise<Awaited<ReturnType<typeof openChatHistory>>> {
  for (let tries = 1; ; tries++) {
    try {
      return await openChatHistory(work.options)
    } catch (error) {
      if (tries === OPEN_TRIES_MAX) throw error
      await delay(100)
    }
  }
}

const history = await open()
const life = `${work.name}.${process.pid}`
const writers = Array.from({ length: work.writers }, async (_, writer) => {
  for (let i = 0; !isStopped; i++) await increment(history.store, `${life}.${writer}.${i}`)
})
process.stdin.once('data', () => (isStopped = true))
process.stdout.write('ready\n')
await Promise.all(writers)
await history.close()
process.stdout.write('ended\n', () => process.exit(0))
