/*
 * What conditions cost: a group of a value and an item that is set under the stamp of the value, beside the same
 * group without conditions, on PostgreSQL with a SQLite backup and a log in files. Nobody is faster: no call is a
 * `CONFLICT`. Interleaved in one run.
 *
 *   npm run bench conditions
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../test/support/postgres-server.ts'
import * as groups from './subjects/groups.ts'
import { explained, type Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const WHY =
  'one database judges before the log has the group, and the hints are read before that: the sync of the log ' +
  'comes on top, where without conditions log and database go side by side'
const SUBJECTS = new URL('./subjects/groups.js', import.meta.url)

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function opened(factory: keyof typeof groups): Promise<Measured> {
  const [subject] = await inOwnProcess(SUBJECTS, factory, { url: server.url, directory: scratch })
  return subject!
}

const subjects = [await opened('plainGroups'), await opened('conditionalGroups')]
try {
  const rows: Row[] = []
  for (const concurrency of [1, 16, 64]) {
    rows.push(...(await compare(subjects, concurrency, ROUNDS)))
  }
  const goals = rows
    .filter(({ name }) => name === groups.CONDITIONAL)
    .map(({ concurrency, p50Ratio }): Goal => {
      const measure = `conditional group / the same without conditions, p50, ${concurrency} at a time`
      return explained({ number: 'C3', measure, atMost: 1.3, value: p50Ratio }, WHY)
    })
  await report('conditions', {
    rows,
    goals,
    settings: { rounds: ROUNDS, sampleSeconds: SAMPLE_SECONDS },
  })
} finally {
  for (const subject of subjects) await subject.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
