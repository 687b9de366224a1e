/*
 * Saves of this version beside those of another one: by default of the last commit before there was a search, whose
 * option is off here. So what the search costs those who do not use it is in it, with all else that came since. The
 * other version is taken out of git and built in a folder of its own. Interleaved, each in a process of its own.
 *
 *   COMMIT=dd56d46^ npm run bench versions
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startPostgres, type PostgresServer } from '../test/support/postgres-server.ts'
import type { Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
/** Before `dd56d46`, "Search: words, numbers, the merged search and its call". */
const COMMIT = process.env['COMMIT'] ?? 'dd56d46^'
/** What two runs of one version differ by is less. */
const TIMES_MAX = 1.05

const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
const servers: PostgresServer[] = []
const subjects: Measured[] = []

try {
  await open(`saves of ${COMMIT}`, 'before', subjectsOf(checkedOut(COMMIT)))
  await open('saves of this version', 'now', subjectsOf(process.cwd()))
  const rows: Row[] = []
  for (const concurrency of [1, 16, 64]) {
    rows.push(...(await compare(subjects, concurrency, ROUNDS)))
  }
  const goals = rows
    .filter((_, i) => i % subjects.length > 0)
    .map(({ concurrency, p50Ratio }): Goal => {
      const measure = `save with search off / before there was a search, p50, ${concurrency} at a time`
      return { number: 'C9', measure, atMost: TIMES_MAX, value: p50Ratio }
    })
  const settings = { rounds: ROUNDS, sampleSeconds: SAMPLE_SECONDS, before: COMMIT }
  await report('versions', { rows, goals, settings })
} finally {
  for (const subject of subjects) await subject.close()
  for (const server of servers) await server.stop()
  await rm(scratch, { recursive: true, force: true })
}

/** Each with a server of its own: the subjects give their databases the same name. */
async function open(name: string, directory: string, module: URL): Promise<void> {
  const server = await startPostgres()
  servers.push(server)
  const own = join(scratch, directory)
  mkdirSync(own)
  const target = { url: server.url, directory: own, write: 'idempotent' }
  const [subject] = await inOwnProcess(module, 'everthread', target)
  subjects.push({ ...subject!, name })
}

function subjectsOf(root: string): URL {
  return pathToFileURL(join(root, 'dist/bench/bench/subjects/saves.js'))
}

/** Builds it with the packages that are installed here. */
function checkedOut(commit: string): string {
  const root = join(scratch, 'checkout')
  mkdirSync(root)
  const archive = execFileSync('git', ['archive', commit], { maxBuffer: 2 ** 28 })
  execFileSync('tar', ['-x', '-C', root], { input: archive })
  symlinkSync(join(process.cwd(), 'node_modules'), join(root, 'node_modules'))
  execFileSync('npx', ['tsc', '-p', 'bench/tsconfig.json'], { cwd: root, stdio: 'inherit' })
  return root
}
