import { closeSync, fdatasync, openSync, write, writeSync } from 'node:fs'
import { fsyncSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Subject } from './measure.ts'
import { BODY } from './messages.ts'

/** Written before the measurement, so that appends do not grow the file. */
const PREALLOCATED_BYTES = 64 * 2 ** 20
const RECORD = Buffer.from(JSON.stringify(BODY))

const writeAt = promisify(write)
const sync = promisify(fdatasync)

/** The least that a durable log does: what waits is written at once, and one sync is shared. */
export async function bareLog(path: string): Promise<Subject> {
  const fd = openSync(path, 'w')
  writeSync(fd, Buffer.alloc(PREALLOCATED_BYTES))
  fsyncSync(fd)
  let waiting: (() => void)[] = []
  let running = false
  let at = 0
  const commit = async (): Promise<void> => {
    running = true
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      const bytes = Buffer.concat(group.map(() => RECORD))
      if (at + bytes.length > PREALLOCATED_BYTES) at = 0
      await writeAt(fd, bytes, 0, bytes.length, at)
      await sync(fd)
      at += bytes.length
      for (const done of group) done()
    }
    running = false
  }
  return {
    name: 'bare group commit loop in Node',
    promise: 'one file',
    run: () =>
      new Promise<void>((resolve) => {
        waiting.push(resolve)
        if (!running) void commit()
      }),
    close: async () => closeSync(fd),
  }
}
