/*
 * Saves to PostgreSQL: raw inserts of the driver, one by one and batched, against the write
 * strategies, all on this machine and one disk, interleaved in one run, each in a process of its own.
 *
 *   npm run bench save
 *   ROUNDS=3 SAMPLE_SECONDS=1 npm run bench save     for a first look
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../test/support/postgres-server.ts'
import * as saves from './subjects/saves.ts'
import { explained, percent, type Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
/** Set by `slow.ts`. */
const SLOW_SYNC_MS = Number(process.env['SLOW_SYNC_MS'] ?? 0)
const DISK = SLOW_SYNC_MS > 0 ? `, syncs ${SLOW_SYNC_MS} ms longer` : ''
const SUBJECTS = new URL('./subjects/saves.js', import.meta.url)
const { ENGINE, LEAST } = saves

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function opened(
  factory: keyof typeof saves,
  options: { readonly write?: saves.Write } = {},
): Promise<Measured> {
  const target = { url: server.url, directory: scratch, ...options }
  const [subject] = await inOwnProcess(SUBJECTS, factory, target)
  return subject!
}

function goalsOf(rows: readonly Row[]): Goal[] {
  const named = (name: string, concurrency: number): Row =>
    rows.find((each) => each.name === name && each.concurrency === concurrency)!
  const row = (write: string, concurrency: number): Row => named(`everthread ${write}`, concurrency)
  const lone = (atMost: number): Goal =>
    explained(
      {
        number: 4,
        measure: `p50 of one \`idempotent\` save alone / raw insert${DISK}`,
        atMost,
        value: row('idempotent', 1).p50Ratio,
      },
      `the engine's one statement, which also reads the tombstone and judges, takes ${row(ENGINE, 1).p50Ratio.toFixed(2)} alone, ` +
        `a bare insert and a bare log at once ${named(LEAST, 1).p50Ratio.toFixed(2)}; ` +
        'the log and the flush of the save before use the same cores',
    )
  const atLeast = (number: number, write: string, concurrency: number, wanted: number): Goal => {
    const { ratio, cpuUs = 0, busy = 0, loop = 0 } = row(write, concurrency)
    const engine = row(ENGINE, concurrency)
    const least = named(LEAST, concurrency)
    const goal = {
      number,
      measure: `\`${write}\` saves at ${concurrency} concurrent / raw single inserts${DISK}`,
      atLeast: wanted,
      value: ratio,
    }
    return explained(
      goal,
      `${Math.round(cpuUs)} µs of CPU of this process a save, with log, backup and flush, where the engine alone takes ` +
        `${Math.round(engine.cpuUs ?? 0)} and reaches ${engine.ratio.toFixed(2)}; the event loop is ${percent(loop)} busy and the ` +
        `cores ${percent(busy)}: the rest is waiting for the disk, which server, log and backup share. Batched inserts and a ` +
        `bare log, with nothing else, reach ${least.ratio.toFixed(2)}`,
    )
  }
  if (SLOW_SYNC_MS > 0) {
    return [
      atLeast(1, 'idempotent', 64, 3.5),
      atLeast(2, 'idempotent', 256, 6),
      lone(1.15),
      atLeast(5, 'wal-first', 64, 5),
    ]
  }
  return [
    atLeast(1, 'idempotent', 64, 2.5),
    atLeast(2, 'idempotent', 256, 3),
    atLeast(3, 'idempotent', 16, 1.8),
    lone(1.25),
    atLeast(5, 'wal-first', 64, 4),
  ]
}

const subjects = [
  await opened('rawInserts'),
  await opened('rawBatches'),
  await opened('leastOfTwo'),
  await opened('engineAlone'),
  await opened('everthread', { write: 'idempotent' }),
  await opened('everthread', { write: 'wal-first' }),
  await opened('everthread', { write: 'dual-write' }),
]
try {
  const rows: Row[] = []
  for (const concurrency of [1, 16, 64, 256]) {
    rows.push(...(await compare(subjects, concurrency, ROUNDS)))
  }
  await report(SLOW_SYNC_MS > 0 ? 'slow' : 'save', {
    rows,
    goals: goalsOf(rows),
    settings: {
      rounds: ROUNDS,
      sampleSeconds: SAMPLE_SECONDS,
      conversations: saves.CONVERSATIONS,
      ...(SLOW_SYNC_MS > 0 && { slowSyncMs: SLOW_SYNC_MS }),
    },
  })
} finally {
  for (const subject of subjects) await subject.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
