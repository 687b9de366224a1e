/*
 * 500 values by their keys, each of some 260 bytes: `mget`, beside one raw query and beside `get` of each.
 * Interleaved in one run, one call at a time. The ratios are those to the raw query.
 *
 *   npm run bench mget
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../test/support/postgres-server.ts'
import type * as values from './subjects/values.ts'
import { compare, SAMPLE_SECONDS, type Measured } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const SUBJECTS = new URL('./subjects/values.js', import.meta.url)

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function opened(factory: keyof typeof values): Promise<Measured> {
  const [subject] = await inOwnProcess(SUBJECTS, factory, { url: server.url, directory: scratch })
  return subject!
}

const subjects = [await opened('raw'), await opened('many'), await opened('single')]
try {
  const rows = await compare(subjects, 1, ROUNDS)
  await report('mget', { rows, settings: { rounds: ROUNDS, sampleSeconds: SAMPLE_SECONDS } })
} finally {
  for (const subject of subjects) await subject.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
