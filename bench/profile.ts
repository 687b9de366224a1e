/*
 * Where the time of the hot paths goes: a save with 64 at a time, a page, and the recovery of a log, each
 * in a process of its own under the profiler of V8. What other threads do, such as SQLite's, is not in it.
 * Writes bench/results/profile.json.
 */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../test/support/postgres-server.ts'
import { SAMPLE_SECONDS } from './support/measure.ts'
import type { Areas } from './support/profile-areas.ts'
import { report } from './support/report.ts'
import type * as paths from './subjects/paths.ts'

const SCRIPT = fileURLToPath(new URL('./support/profile-process.js', import.meta.url))
const CONCURRENCY: Readonly<Record<keyof typeof paths, number>> = { save: 64, page: 4, recovery: 1 }
/** Areas with less are left out. Percent. */
const LEAST = 1

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
try {
  const target = JSON.stringify({ url: server.url, directory: scratch })
  const figures: Record<string, number> = {}
  for (const [path, concurrency] of Object.entries(CONCURRENCY)) {
    const args = ['--expose-gc', SCRIPT, path, String(concurrency), target]
    const { busy, idlePercent } = JSON.parse(
      execFileSync(process.execPath, args, { encoding: 'utf8' }),
    ) as Areas
    for (const [area, percent] of Object.entries(busy)) {
      if (percent >= LEAST) figures[`${path}: ${area} %`] = percent
    }
    figures[`${path}: idle, of all time %`] = idlePercent
  }
  await report('profile', { figures, settings: { sampleSeconds: SAMPLE_SECONDS, ...CONCURRENCY } })
} finally {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
