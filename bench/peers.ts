/*
 * Saving to and reading from PostgreSQL with everthread and with other libraries for chat history, all
 * interleaved in one run on one server, each in a process and a database of its own. The libraries are those of
 * bench/package.json; they are installed when they are missing. Writes bench/results/peers.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { messageOf } from '../src/core/errors.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { explained, type Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { loadPeers } from './support/peer.ts'
import { report } from './support/report.ts'
import { SETTINGS } from './subjects/contenders.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const CONCURRENCIES = [1, 16, 64]
const SUBJECTS = new URL('./subjects/contenders.js', import.meta.url)
/** A peer that does not answer its first calls is left out. Milliseconds. */
const TRIAL_MS_MAX = 30_000

interface Contender {
  readonly saver: Measured
  /** Reads the latest of the long conversation. */
  readonly reader: Measured
}

const server = await startPostgres({ settings: { max_connections: '400' } })
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
let databases = 0

async function database(): Promise<string> {
  const name = `peer_${databases++}`
  const admin = new pg.Client(server.url)
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return url.href
}

/** A process of its own with one subject that saves and one that reads. */
async function contender(
  factory: 'raw' | 'everthread' | 'peer',
  options: object,
): Promise<Contender> {
  const target = { url: factory === 'everthread' ? server.url : await database(), ...options }
  const [saver, reader] = await inOwnProcess(SUBJECTS, factory, target, TRIAL_MS_MAX)
  return { saver: saver!, reader: reader! }
}

function goalsOf(rows: readonly Row[], peers: readonly string[]): Goal[] {
  const at64 = rows.filter(
    ({ concurrency, name }) => concurrency === 64 && !name.startsWith('latest'),
  )
  const best = at64
    .filter(({ name }) => peers.includes(name))
    .sort((a, b) => b.rate - a.rate)
    .at(0)
  if (best === undefined) return []
  const raw = at64[0]!
  return (['idempotent', 'wal-first'] as const).map((write) => {
    const own = at64.find(({ name }) => name === `everthread ${write}`)!
    return explained(
      {
        number: 7,
        measure: `saves at 64, ${write} / the best peer`,
        atLeast: 3,
        value: own.rate / best.rate,
      },
      `best peer: ${best.name}, which promises the ${best.promise}; raw inserts of the driver ${(raw.rate / best.rate).toFixed(2)} of it, ` +
        `and ours ${own.ratio.toFixed(2)} of these: what limits them stands at the goals 1 and 5`,
    )
  })
}

const contenders: Contender[] = []
try {
  const directory = scratch
  contenders.push(
    await contender('raw', {}),
    await contender('everthread', { directory, write: 'idempotent', promise: 'primary + wal' }),
    await contender('everthread', { directory, write: 'wal-first', promise: 'wal' }),
  )
  const { peers, leftOut } = await loadPeers()
  const missing: Record<string, string> = { ...leftOut }
  const names: string[] = []
  for (const peer of peers) {
    const name = `${peer.title} (${peer.packages[0]} ${peer.version})`
    try {
      const concurrencyMax = Math.max(...CONCURRENCIES)
      contenders.push(await contender('peer', { file: peer.file, name, concurrencyMax }))
      names.push(name)
    } catch (error) {
      missing[peer.title] = messageOf(error)
    }
  }
  for (const [name, reason] of Object.entries(missing)) console.log(`left out: ${name}: ${reason}`)
  const rows: Row[] = []
  for (const concurrency of CONCURRENCIES) {
    const savers = contenders.map(({ saver }) => saver)
    rows.push(...(await compare(savers, concurrency, ROUNDS)))
  }
  const readers = contenders.map(({ reader }) => reader)
  rows.push(...(await compare(readers, 1, ROUNDS)))
  await report('peers', {
    rows,
    goals: goalsOf(rows, names),
    settings: {
      rounds: ROUNDS,
      sampleSeconds: SAMPLE_SECONDS,
      ...SETTINGS,
      leftOut: missing,
    },
  })
} finally {
  for (const { saver } of contenders) await saver.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
// Some peers keep timers and connections of their own; what was measured is on disk.
process.exit()
