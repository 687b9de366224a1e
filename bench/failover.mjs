// Measures what an outage of the primary costs: `npm run bench failover`. See bench/README.md.
// The servers and the checks are those of the tests; the library is the compiled one of dist/.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createViteServer } from 'vitest/node'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const SAVES = Number(process.env.EVERTHREAD_FAILOVER_SAVES ?? 10_000)
const KILLS = Number(process.env.EVERTHREAD_FAILOVER_KILLS ?? 20)
const STOPPED_SAVES = 200
const SESSIONS = 8

const loader = await createViteServer({
  configFile: false,
  root: ROOT,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, hmr: false, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
})
const { startPostgres } = await loader.ssrLoadModule('/test/support/postgres-server.ts')
const { failoverReport, percentile, runKills, runStop } = await loader.ssrLoadModule(
  '/test/fault/support/failover-run.ts',
)
const { Ledger } = await loader.ssrLoadModule('/test/fault/support/ledger.ts')
const { openChatHistory } = await import('../dist/index.js').catch((error) => {
  throw new Error('dist/ is missing: npm run build', { cause: error })
})
const { report } = await import('../dist/bench/bench/support/report.js').catch((error) => {
  throw new Error('dist/bench is missing: npm run bench failover', { cause: error })
})
const { PostgresBackend } = await import('../dist/backend/postgres/index.js')
const { SqliteBackend } = await import('../dist/backend/sqlite/index.js')

const server = await startPostgres()
try {
  const killed = await measure('killed', killRun)
  const stopped = await measure('stopped', stopRun)
  const clean = [killed, stopped].every(isClean)
  console.log(clean ? 'nothing was lost' : 'NOT CLEAN')
  await report('failover', {
    figures: { ...prefixed('killed', killed), ...prefixed('stopped', stopped) },
    goals: goalsOf(killed, stopped),
    settings: { saves: SAVES, kills: KILLS, sessions: SESSIONS, stoppedSaves: STOPPED_SAVES },
  })
  if (!clean) process.exitCode = 1
} finally {
  await server.stop()
  await loader.close()
}

/** Opens a store of its own, runs, and compares what both databases hold afterwards. */
async function measure(name, run) {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
  const primary = { type: 'postgresql', url: server.url, schema: `bench_${name}` }
  const backup = { type: 'sqlite', path: join(directory, 'backup.db') }
  const history = await openChatHistory({ primary, backup, wal: `file:${join(directory, 'wal')}` })
  const places = { primary: new PostgresBackend(primary), backup: new SqliteBackend(backup) }
  try {
    const { ledger, kills, figures } = await run(history, directory)
    const startedAt = performance.now()
    await history.store.flushWAL(120_000)
    const catchUpMs = performance.now() - startedAt
    for (const place of Object.values(places)) await place.connect()
    await ledger.compare(places)
    const findings = failoverReport(ledger, kills)
    print(name, { ...findings, catchUpMs, ...figures })
    for (const example of ledger.examples) console.log(`  ${example}`)
    for (const line of ledger.longest(5)) console.log(`  longest: ${line}`)
    return { ...findings, catchUpMs, ...figures }
  } finally {
    for (const place of Object.values(places)) await place.disconnect()
    await history.close()
    await rm(directory, { recursive: true, force: true })
  }
}

async function killRun(history, directory) {
  const startedAt = performance.now()
  const bare = startBareAppends(join(directory, 'bare'))
  const ledger = await runKills({ history, server, saves: SAVES, kills: KILLS, sessions: SESSIONS })
  const seconds = (performance.now() - startedAt) / 1000
  return { ledger, kills: KILLS, figures: { seconds, bareAppendLongestMs: await bare.end() } }
}

/** Appends of another process meanwhile: what the machine alone adds to a save. */
function startBareAppends(path) {
  const program = fileURLToPath(new URL('support/bare-append.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, path], { stdio: ['pipe', 'pipe', 'inherit'] })
  const printed = text(child.stdout)
  const end = () => {
    child.stdin.end()
    return printed.then(Number)
  }
  return { end }
}

async function stopRun(history) {
  const ledger = new Ledger()
  const options = { warmUp: 200, saves: STOPPED_SAVES }
  const { hedgeMs, saveMs } = await runStop(history, server, ledger, options)
  // Until the circuit opens each save waits for the hedge delay; from then on for the backup alone.
  const hedged = saveMs.filter((ms) => ms >= hedgeMs).toSorted((a, b) => a - b)
  const direct = saveMs.filter((ms) => ms < hedgeMs).toSorted((a, b) => a - b)
  return {
    ledger,
    kills: 0,
    figures: {
      stoppedSaves: saveMs.length,
      hedgeMs,
      // Of its last calls, saves and flushes alike.
      backupP50Ms: history.status().places.backup.latency.p50,
      backupP99Ms: history.status().places.backup.latency.p99,
      hedgedSaves: hedged.length,
      hedgedP50Ms: percentile(hedged, 0.5),
      hedgedP99Ms: percentile(hedged, 0.99),
      hedgedLongestMs: hedged.at(-1) ?? 0,
      directSaves: direct.length,
      directP50Ms: percentile(direct, 0.5),
      directLongestMs: direct.at(-1) ?? 0,
    },
  }
}

function prefixed(name, figures) {
  const entries = Object.entries(figures).filter(([, value]) => typeof value === 'number')
  return Object.fromEntries(entries.map(([key, value]) => [`${name} ${key}`, value]))
}

function goalsOf(killed, stopped) {
  const failed = (name, { failedSaves }) => ({
    measure: `PostgreSQL ${name} under load: failed saves`,
    atMost: 0,
    value: failedSaves,
  })
  return [
    { number: 11, ...failed('killed', killed) },
    {
      number: 11,
      measure: 'PostgreSQL killed: longest save over p99',
      atMost: 25,
      unit: 'ms',
      value: killed.longestMs - killed.p99Ms,
      note: `a bare append of 1 KiB with its sync, each 10 ms by a process of its own, took up to ${killed.bareAppendLongestMs.toFixed(1)} ms meanwhile: saves, both databases and the start of PostgreSQL share two cores and a disk`,
    },
    { number: 12, ...failed('stopped', stopped) },
    {
      number: 12,
      measure:
        'PostgreSQL stopped: longest save over the hedge delay and the p99 of the backup alone',
      atMost: 0,
      unit: 'ms',
      value: stopped.hedgedLongestMs - stopped.hedgeMs - stopped.backupP99Ms,
      note: `the longest of ${stopped.hedgedSaves} saves; those that waited for the backup alone took up to ${stopped.directLongestMs.toFixed(1)} ms`,
    },
  ]
}

function isClean({ failedSaves, failedReads, lost, doubled, reordered }) {
  return failedSaves + failedReads + lost + doubled + reordered === 0
}

function print(name, figures) {
  console.log(name)
  for (const [key, value] of Object.entries(figures)) {
    console.log(`  ${key.padEnd(18)} ${Number.isInteger(value) ? value : value.toFixed(1)}`)
  }
}
