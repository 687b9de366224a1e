/*
 * Two databases with 1,000,000 messages and 100 scattered differences: how many rows a reconcile
 * reads of those that a full comparison reads, and how long it takes in comparison; and what it costs
 * when both are equal. The event loop is watched meanwhile.
 *
 * A full comparison reads every row of both and compares their digests, once.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { WHOLE_RANGE } from '../src/backend/buckets.ts'
import { PostgresBackend } from '../src/backend/postgres/index.ts'
import type { ReplicaBackend } from '../src/backend/replica-backend.ts'
import { SqliteBackend } from '../src/backend/sqlite/backend.ts'
import { encodeJson } from '../src/core/json.ts'
import type { AppendOperation } from '../src/core/operation.ts'
import { StampClock } from '../src/core/stamp.ts'
import type { ReconcileReport } from '../src/sync/reconcile-report.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { reconcilerRig } from '../test/support/reconciler-rig.ts'
import { BODY } from './support/messages.ts'
import { explained, type Goal } from './support/goal.ts'
import { report } from './support/report.ts'

const MESSAGES = Number(process.env['MESSAGES'] ?? 1_000_000)
const DIFFERENCES = Number(process.env['DIFFERENCES'] ?? 100)
const CONVERSATIONS = Number(process.env['CONVERSATIONS'] ?? 1_000)
const SPAN_MS = 30 * 24 * 60 * 60 * 1_000
const GROUP = 500
/** No limit: this is about what it costs, not about how long it may take. */
const ROWS_PER_SECOND = 1_000_000_000

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
const primary = new PostgresBackend({ url: server.url })
const backup = new SqliteBackend({ path: join(scratch, 'backup.db') })
await Promise.all([primary.connect(), backup.connect()])

/** Fills both alike, but for the differences: every other one is missing in the backup. */
async function fill(): Promise<void> {
  const startMs = Date.now() - SPAN_MS
  let nowMs = startMs
  const clock = new StampClock({
    now: () => nowMs,
    writer: crypto.getRandomValues(new Uint8Array(8)),
  })
  const value = encodeJson(BODY)
  const every = Math.floor(MESSAGES / DIFFERENCES)
  for (let from = 0; from < MESSAGES; from += GROUP) {
    const both: Record<'primary' | 'backup', AppendOperation[]> = { primary: [], backup: [] }
    for (let i = from; i < Math.min(from + GROUP, MESSAGES); i++) {
      nowMs = startMs + (i * SPAN_MS) / MESSAGES
      const stamp = clock.tick()
      const key = `c${(i * 7_919) % CONVERSATIONS}`
      const put = { kind: 'put', change: 'append', key, id: stamp, position: stamp } as const
      const operation: AppendOperation = { ...put, stamp, value }
      const lacksIt =
        i % every === 0 ? (Math.floor(i / every) % 2 === 0 ? 'backup' : 'primary') : ''
      if (lacksIt !== 'primary') both.primary.push(operation)
      if (lacksIt !== 'backup') both.backup.push(operation)
    }
    await Promise.all([primary.apply(both.primary), backup.apply(both.backup)])
  }
  await primary.maintenance()
}

/** Reads all of both, and counts what only one of them has. */
async function compareFully(): Promise<{ readonly ms: number; readonly differences: number }> {
  const start = performance.now()
  const [a, b] = await Promise.all([digestsOf(primary), digestsOf(backup)])
  let differences = 0
  for (const name of a) if (!b.has(name)) differences++
  for (const name of b) if (!a.has(name)) differences++
  return { ms: performance.now() - start, differences }
}

async function digestsOf(backend: ReplicaBackend): Promise<Set<string>> {
  const names = new Set<string>()
  for await (const { operation, digest } of backend.scanStored!(WHOLE_RANGE)) {
    names.add(`${operation.key} ${digest}`)
  }
  return names
}

async function watched(
  run: () => Promise<ReconcileReport>,
): Promise<{ readonly pass: ReconcileReport; readonly longestMs: number }> {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const pass = await run()
  delays.disable()
  return { pass, longestMs: delays.max / 1e6 }
}

try {
  await fill()
  const { reconciler } = reconcilerRig(primary, backup, { rowsPerSecond: ROWS_PER_SECOND })
  const full = await compareFully()
  const first = await watched(() => reconciler.reconcile())
  const equal = await watched(() => reconciler.reconcile())
  if (full.differences !== DIFFERENCES || first.pass.copied !== DIFFERENCES) {
    throw new Error(`${full.differences} differences, ${first.pass.copied} copied`)
  }
  if (equal.pass.rowsRead + equal.pass.copied !== 0) throw new Error('they are not equal')
  const rowsPercent = (first.pass.rowsRead / (2 * MESSAGES)) * 100
  const goals: Goal[] = [
    {
      number: 15,
      measure: `reconcile of ${MESSAGES} messages with ${DIFFERENCES} differences: rows read`,
      atMost: 5,
      unit: '%',
      value: rowsPercent,
    },
    { number: 15, measure: 'rows read when both are equal', atMost: 0, value: equal.pass.rowsRead },
    explained(
      {
        number: 15,
        measure: 'reconcile: time / full comparison',
        atMost: 0.1,
        value: first.pass.durationMs / full.ms,
      },
      `the digests of equal databases take ${(equal.pass.durationMs / full.ms).toFixed(2)} of it: they read every row in the ` +
        'database. Differing ones are read twice, in 256 parts of all time and then in 1,024 of the part that differs, ' +
        `which is ${((2 * equal.pass.durationMs) / full.ms).toFixed(2)} before a single difference has been looked at`,
    ),
  ]
  await report('reconcile', {
    figures: {
      rowsPercent,
      fullComparisonMs: full.ms,
      reconcileMs: first.pass.durationMs,
      equalMs: equal.pass.durationMs,
      reconcileLongestStopMs: first.longestMs,
      equalLongestStopMs: equal.longestMs,
    },
    goals,
    settings: { messages: MESSAGES, differences: DIFFERENCES, conversations: CONVERSATIONS },
  })
} finally {
  await Promise.all([primary.disconnect(), backup.disconnect()])
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
