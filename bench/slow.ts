/*
 * The same as `save.ts` on a disk whose syncs take 2 ms longer, as disks behind a network do: a small
 * library (`support/slow-sync.c`) is preloaded into PostgreSQL and into each measuring process. Needs
 * Linux and a C compiler. Writes bench/results/slow.json.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SLOW_SYNC_MS = process.env['SLOW_SYNC_MS'] ?? '2'
const SOURCE = fileURLToPath(new URL('../../../bench/support/slow-sync.c', import.meta.url))
const SAVE = fileURLToPath(new URL('./save.js', import.meta.url))

const directory = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
try {
  // PostgreSQL may run as another user.
  await chmod(directory, 0o755)
  const library = join(directory, 'slow-sync.so')
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, SOURCE, '-ldl'])
  const env = { ...process.env, LD_PRELOAD: library, SLOW_SYNC_MS }
  const { status } = spawnSync(process.execPath, [...process.execArgv, SAVE], {
    stdio: 'inherit',
    env,
  })
  process.exitCode = status ?? 1
} finally {
  await rm(directory, { recursive: true, force: true })
}
