/*
 * The file log alone: appends against a bare group commit loop in Node and in C, what the whole
 * store adds to it (`wal-first`), each in a process of its own, and recovery of many entries against a
 * plain read of the files.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeEnv } from '../src/core/node-env.ts'
import { FileWal } from '../src/wal/file/file-wal.ts'
import { scanSegment, segmentFiles } from '../src/wal/file/segment-scan.ts'
import { fillLog, WRITER } from './support/fill-log.ts'
import { explained, type Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, median, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'
import type * as logs from './subjects/logs.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const ENTRIES = Number(process.env['ENTRIES'] ?? 1_000_000)
const KEYS = 10_000
const PENDING_BYTES_MAX = 8 * 2 ** 30
const RECOVERIES = 5
const SUBJECTS = new URL('./subjects/logs.js', import.meta.url)

const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

/** Appends per second of the same loop in C, by concurrency; empty without a compiler. */
function inC(): Record<string, number> {
  const source = fileURLToPath(new URL('../../../bench/support/bare-log.c', import.meta.url))
  const program = join(scratch, 'bare-log')
  if (spawnSync('cc', ['-O2', '-o', program, source]).status !== 0) return {}
  const figures: Record<string, number> = {}
  for (const concurrency of [1, 16, 64, 256]) {
    const args = [join(scratch, 'bare-c.log'), String(concurrency)]
    figures[`inCPerSecondAt${concurrency}`] = Number(
      execFileSync(program, args, { encoding: 'utf8' }),
    )
  }
  return figures
}

async function plainRead(directory: string): Promise<number> {
  const start = performance.now()
  for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) await readFile(join(file.parentPath, file.name))
  }
  return performance.now() - start
}

/** Reads the frames and checks their sums, which any recovery has to do, and keeps nothing of them. */
async function checkFrames(directory: string): Promise<number> {
  const start = performance.now()
  const env = nodeEnv()
  let frames = 0
  for (const name of await readdir(directory)) {
    const folder = join(directory, name)
    const files = segmentFiles(await readdir(folder))
    for (const [i, file] of files.entries()) {
      const next = files[i + 1]
      const options = { durableThrough: 0, ...(next !== undefined && { until: next.firstLsn }) }
      await scanSegment(env, folder, file, options, () => frames++)
    }
  }
  if (frames !== ENTRIES) throw new Error(`${frames} frames are valid, ${ENTRIES} were written`)
  return performance.now() - start
}

async function recover(directory: string): Promise<number> {
  const wal = new FileWal(nodeEnv(), { directory, pendingBytesMax: PENDING_BYTES_MAX })
  const start = performance.now()
  await wal.open(WRITER)
  const ms = performance.now() - start
  if (wal.stats().places.backup.pendingEntries !== ENTRIES) throw new Error('entries are missing')
  await wal.close()
  return ms
}

interface Recovery {
  readonly plainReadMs: number
  readonly checkedReadMs: number
  readonly recoverMs: number
}

/** Interleaved: read, check, recover, read, check, recover … */
async function recovery(): Promise<Recovery> {
  const directory = join(scratch, 'recovery')
  await mkdir(directory)
  await fillLog({ directory, pendingBytesMax: PENDING_BYTES_MAX }, { entries: ENTRIES, keys: KEYS })
  const reads: number[] = []
  const checks: number[] = []
  const recoveries: number[] = []
  for (let i = 0; i < RECOVERIES; i++) {
    reads.push(await plainRead(directory))
    checks.push(await checkFrames(directory))
    recoveries.push(await recover(directory))
  }
  return {
    plainReadMs: median(reads),
    checkedReadMs: median(checks),
    recoverMs: median(recoveries),
  }
}

function goalsOf(
  rows: readonly Row[],
  { recoverMs, checkedReadMs, plainReadMs }: Recovery,
): Goal[] {
  const entryUs = (ms: number): string => ((ms * 1_000) / ENTRIES).toFixed(2)
  const row = (name: string, concurrency: number): Row =>
    rows.find((each) => each.name.includes(name) && each.concurrency === concurrency)!
  const [store, bare, alone] = [row('wal-first', 64), row('bare', 64), row('wal-first', 1)]
  return [
    explained(
      {
        number: 6,
        measure: '`wal-first` p50 at 64 / bare group commit loop in Node',
        atMost: 1.25,
        value: store.p50Ratio,
      },
      `64 saves at once share one thread: ${Math.round(store.cpuUs ?? 0)} µs each, against ` +
        `${Math.round(bare.cpuUs ?? 0)} µs; one save alone ${alone.p50Ratio.toFixed(2)}`,
    ),
    explained(
      {
        number: 16,
        measure: `recovery of ${ENTRIES} entries / plain read of the files`,
        atMost: 3,
        value: recoverMs / plainReadMs,
      },
      `the files are in the page cache: ${entryUs(plainReadMs)} µs an entry to read, ${entryUs(checkedReadMs)} µs with its sum ` +
        `checked, which alone is ${(checkedReadMs / plainReadMs).toFixed(2)}, and ${entryUs(recoverMs)} µs with what it is found by`,
    ),
  ]
}

async function opened(factory: keyof typeof logs): Promise<Measured> {
  const [subject] = await inOwnProcess(SUBJECTS, factory, { directory: scratch })
  return subject!
}

const subjects = [await opened('bareLog'), await opened('fileWal'), await opened('walFirst')]
try {
  const rows: Row[] = []
  for (const concurrency of [1, 16, 64, 256]) {
    rows.push(...(await compare(subjects, concurrency, ROUNDS)))
  }
  for (const subject of subjects) await subject.close()
  const figures = inC()
  const recovered = await recovery()
  await report('wal', {
    rows,
    figures: { ...figures, ...recovered },
    goals: goalsOf(rows, recovered),
    settings: { rounds: ROUNDS, sampleSeconds: SAMPLE_SECONDS, entries: ENTRIES, keys: KEYS },
  })
} finally {
  await rm(scratch, { recursive: true, force: true })
}
