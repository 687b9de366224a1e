/*
 * What an id of the caller's costs: a save with one is decided by the primary before it goes to the log, and
 * whether another process wrote past the primary is asked beside it. Interleaved in one run.
 *
 *   npm run bench ids
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../test/support/postgres-server.ts'
import type * as saves from './subjects/saves.ts'
import { compare, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const SUBJECTS = new URL('./subjects/saves.js', import.meta.url)

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function opened(factory: keyof typeof saves, options: object = {}): Promise<Measured> {
  const target = { url: server.url, directory: scratch, ...options }
  const [subject] = await inOwnProcess(SUBJECTS, factory, target)
  return subject!
}

const subjects = [
  await opened('everthread', { write: 'idempotent' }),
  await opened('everthreadIds'),
]
try {
  const rows: Row[] = []
  for (const concurrency of [1, 16, 64]) {
    rows.push(...(await compare(subjects, concurrency, ROUNDS)))
  }
  await report('ids', { rows, settings: { rounds: ROUNDS, sampleSeconds: SAMPLE_SECONDS } })
} finally {
  for (const subject of subjects) await subject.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
