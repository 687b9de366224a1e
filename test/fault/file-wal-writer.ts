// A process that appends to a log, 16 at once, and prints LSN and id of each acknowledged append.
// Both places acknowledge what is 500 entries old, so segments go as well.
import { randomBytes } from 'node:crypto'
import { nodeEnv } from '../../src/core/node-env.ts'
import { StampClock } from '../../src/core/stamp.ts'
import { append } from '../../src/testing/backend/operations.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import { KEPT } from './file-wal-kept.ts'

const [directory] = process.argv.slice(3)
const env = nodeEnv()
const clock = new StampClock({ now: () => Date.now(), writer: randomBytes(8) })
const wal = new FileWal(env, { directory: directory!, segmentBytes: 65_536 })
const { ceilingMs, head } = await wal.open(clock.writerId)
clock.observeMs(ceilingMs)
clock.observe(head)

async function write(): Promise<void> {
  for (;;) {
    const operation = append(`key ${env.random() < 0.5}`, clock.tick(), 'x'.repeat(300))
    const lsn = await wal.append([operation])
    // A pipe is written at once: what is in this process's memory dies with it.
    process.stdout.write(`${lsn} ${operation.id}\n`)
    if (lsn <= KEPT) continue
    wal.acknowledge('primary', [lsn - KEPT])
    wal.acknowledge('backup', [lsn - KEPT])
  }
}

await Promise.all(Array.from({ length: 16 }, write))
