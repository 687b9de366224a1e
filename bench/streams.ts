/*
 * Messages that are written as streams: how many deltas 64 of them take in a second, until the last is
 * acknowledged, and what one leaves on disk, beside the same text by `updateMessage` after each delta. On SQLite
 * and on PostgreSQL with a SQLite backup, each with a log in files. Writes bench/results/streams.json.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { nodeEnv } from '../src/core/node-env.ts'
import { openChatHistory, type ChatHistory } from '../src/index.ts'
import { countingDisk } from '../test/support/counting-disk.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import type { Goal } from './support/goal.ts'
import { report } from './support/report.ts'

const STREAMS = Number(process.env['STREAMS'] ?? 64)
/** Deltas of each of them. */
const DELTAS = Number(process.env['DELTAS'] ?? 2_000)
/** Deltas of the one message whose bytes are counted, and the time between two: 50 a second, as of a model. */
const COUNTED = Number(process.env['COUNTED'] ?? 400)
const PAUSE_MS = Number(process.env['PAUSE_MS'] ?? 20)
const DELTA_LENGTH = 188
/** Appends before others get a turn. */
const BURST = 20

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
const admin = new pg.Client(server.url)
await admin.connect()

/** What a store takes, and what it wrote so far. Bytes. */
interface Bytes {
  /** Files of the databases, without their own logs. */
  readonly databases: number
  /** All that was written to the log. */
  readonly log: number
  /** SQLite's logs as they are, and all that PostgreSQL wrote to its own, whose files it uses again. */
  readonly theirLogs: number
}

interface Subject {
  readonly open: () => Promise<ChatHistory>
  readonly bytes: () => Promise<Bytes>
}

function subject(name: string, url: string | undefined): Subject {
  const directory = join(scratch, name)
  const env = nodeEnv()
  const { disk, counts } = countingDisk(env.disk)
  const primary = url ?? `sqlite:${join(directory, 'primary.db')}`
  return {
    open: () =>
      openChatHistory({
        primary,
        backup: `sqlite:${join(directory, 'backup.db')}`,
        wal: `file:${join(directory, 'wal')}`,
        env: { ...env, disk },
      }),
    bytes: async () => {
      const postgres = url === undefined ? { data: 0, wal: 0 } : await postgresBytes()
      return {
        databases: (await folderBytes(directory, '.db')) + postgres.data,
        log: counts.bytes,
        theirLogs: (await folderBytes(directory, '.db-wal')) + postgres.wal,
      }
    },
  }
}

async function folderBytes(directory: string, ending: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(directory)) {
    if (name.endsWith(ending)) bytes += (await stat(join(directory, name))).size
  }
  return bytes
}

async function postgresBytes(): Promise<{ readonly data: number; readonly wal: number }> {
  const { rows } = await admin.query<{ data: string; wal: string }>(
    `SELECT pg_database_size(current_database()) AS data, pg_current_wal_lsn() - '0/0' AS wal`,
  )
  return { data: Number(rows[0]!.data), wal: Number(rows[0]!.wal) }
}

/** Deltas a second, of all streams, until the last one is acknowledged. */
async function rate({ open }: Subject): Promise<number> {
  const history = await open()
  const streams = await Promise.all(
    Array.from({ length: STREAMS }, (_, i) => history.startMessage(`c${i}`, { role: 'assistant' })),
  )
  const startedAt = performance.now()
  await Promise.all(
    streams.map(async (stream) => {
      for (let i = 0; i < DELTAS; i++) {
        await stream.append('token ')
        if (i % BURST === 0) await turn()
      }
      await stream.flush()
    }),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  await Promise.all(streams.map((stream) => stream.finish()))
  await history.close()
  return (STREAMS * DELTAS) / seconds
}

/** What a message takes in the end, for each byte of its text: nothing is removed from what was written. */
async function taken(
  { open, bytes }: Subject,
  write: (history: ChatHistory) => Promise<void>,
): Promise<Bytes> {
  // Tables, and a log that was begun, are not of this message.
  const first = await open()
  await first.saveMessage('first', { role: 'user', content: 'Hello' })
  await first.close()
  const closed = await bytes()
  const history = await open()
  await write(history)
  await history.flush()
  const { theirLogs, log } = await bytes()
  await history.close()
  const { databases } = await bytes()
  const text = COUNTED * DELTA_LENGTH
  return {
    databases: (databases - closed.databases) / text,
    log: (log - closed.log) / text,
    theirLogs: (theirLogs - closed.theirLogs) / text,
  }
}

async function stream(history: ChatHistory): Promise<void> {
  const message = await history.startMessage('c', { role: 'assistant' })
  for (let i = 0; i < COUNTED; i++) {
    await message.append(delta(i))
    await pause(PAUSE_MS)
  }
  await message.finish()
}

async function update(history: ChatHistory): Promise<void> {
  const { id } = await history.saveMessage('c', { role: 'assistant', content: '' })
  let content = ''
  for (let i = 0; i < COUNTED; i++) {
    content += delta(i)
    await history.updateMessage('c', id, { role: 'assistant', content })
  }
}

/** Text without repeats, so that no compression helps. */
function delta(i: number): string {
  const bytes = createHash('shake256', { outputLength: DELTA_LENGTH }).update(`${i}`).digest()
  return bytes.toString('base64').slice(0, DELTA_LENGTH)
}

try {
  const figures: Record<string, number> = {}
  const goals: Goal[] = []
  for (const [engine, url] of [
    ['SQLite', undefined],
    ['PostgreSQL', server.url],
  ] as const) {
    const streamed = await taken(subject(`${engine}-stream`, url), stream)
    const updated = await taken(subject(`${engine}-update`, url), update)
    const perSecond = await rate(subject(`${engine}-rate`, url))
    for (const [name, found] of [
      ['stream', streamed],
      ['updates', updated],
    ] as const) {
      figures[`${engine}, ${name}: databases / text`] = found.databases
      figures[`${engine}, ${name}: written to the log / text`] = found.log
      figures[`${engine}, ${name}: logs of the databases / text`] = found.theirLogs
    }
    goals.push(
      {
        number: 'C5',
        measure: `deltas a second of ${STREAMS} streams, ${engine}`,
        atLeast: 5_000,
        value: perSecond,
      },
      {
        number: 'C6',
        measure: `databases and log / text, ${engine}`,
        atMost: 10,
        value: streamed.databases + streamed.log,
      },
    )
  }
  const settings = { streams: STREAMS, deltas: DELTAS, counted: COUNTED, pauseMs: PAUSE_MS }
  await report('streams', { figures, goals, settings })
} finally {
  await admin.end()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
