// A process that owns a log with one entry, says so, and goes on living.
import { nodeEnv } from '../../src/core/node-env.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'

const [directory] = process.argv.slice(3)
const wal = new FileWal(nodeEnv(), { directory: directory!, heartbeatMs: 20_000 })
await wal.open('owner')
await wal.append([append('key', stampAt(1), 'of the owner')])
process.stdout.write('ready\n')
setInterval(() => {}, 1_000)
