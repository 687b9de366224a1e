// Goal: no change makes a save or a page cost more. Method: counts, not seconds. Time stands still, so
// probes and workers run only when they are told to; PostgreSQL, SQLite and the log's disk are real.
// The statements that are really sent are recorded, and what the log writes and syncs is counted.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { PgStatement } from '../../src/backend/postgres/connection/pg-types.ts'
import { encodeJson } from '../../src/core/json.ts'
import { nodeDisk } from '../../src/core/node-disk.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { ERASURE_PREFIX } from '../../src/store/erase/erasure-record.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { countingDisk } from '../support/counting-disk.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { explain } from '../support/explain.ts'
import { describePostgres, freshSchema, postgresUrl } from '../support/postgres-backend.ts'
import { recordingPool } from '../support/recording-pool.ts'

const BURST = 64
const PAGE = 50
const MESSAGE = { role: 'user', content: 'The flight leaves at nine. '.repeat(24) } as const
/** Virtual time goes about as fast as real time: servers and disks must not seem to be slow. */
const STEP_MS = 10
/** Of a frame: its header, the operation's fields and the marks around its text. */
const FRAME_BYTES_MAX = 160

interface Rig {
  readonly history: ChatHistory
  readonly env: VirtualEnv
  cost(call: () => Promise<unknown>): Promise<Cost>
}

interface Cost {
  /** What was sent to PostgreSQL while the call ran. */
  readonly statements: readonly PgStatement[]
  readonly syncs: number
  readonly bytes: number
}

async function rig(write: 'idempotent' | 'wal-first' | 'dual-write' = 'idempotent'): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-cost-'))
  const recorder = recordingPool(postgresUrl!)
  // Entries are written to files that begin as spares; notes about cursors and owners are by the clock.
  const { disk, counts } = countingDisk(nodeDisk, (path) => /spare-\d+\.tmp$/.test(path))
  const env = virtualEnv({ disk, startMs: Date.now() })
  const history = await openChatHistory({
    primary: { type: 'postgresql', pool: recorder.pool, schema: freshSchema().schema! },
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
    write,
    env,
  })
  onTestFinished(async () => {
    await env.drive(history.close())
    await recorder.close()
    await rm(directory, { recursive: true, force: true })
  })
  // The first save of a conversation makes its row; what is guarded is the hundredth.
  await history.saveMessage('c', MESSAGE)
  // What a new store does by itself: comparing its databases, noting that they are equal, and looking
  // for erases that wait.
  await pass(env, () => history.status().trusted)
  await pass(env, () => recorder.statements.some(looksForErases), 0)
  await pass(env, () => recorder.running() === 0, 0)
  return {
    history,
    env,
    async cost(call) {
      const from = recorder.statements.length
      const { syncs, bytes } = counts
      await call()
      const statements = recorder.statements.slice(from)
      return { statements, syncs: counts.syncs - syncs, bytes: counts.bytes - bytes }
    },
  }
}

function looksForErases({ values = [] }: PgStatement): boolean {
  return values.some((value) => typeof value === 'string' && value.includes(ERASURE_PREFIX))
}

/** Lets time pass until something has come about. */
async function pass(env: VirtualEnv, isDone: () => boolean, stepMs = STEP_MS): Promise<void> {
  const step = async (): Promise<void> => {
    await env.advance(stepMs)
    expect(isDone()).toBe(true)
  }
  await eventually(step)
}

async function flush(history: ChatHistory, env: VirtualEnv): Promise<void> {
  let isFlushed = false
  const flushed = history.flush().then(() => {
    isFlushed = true
  })
  await pass(env, () => isFlushed)
  await flushed
}

function burst(history: ChatHistory): Promise<unknown> {
  return Promise.all(
    Array.from({ length: BURST }, (_, i) => history.saveMessage(`c${i % 8}`, MESSAGE)),
  )
}

/** The beginnings of the statements, so that a failure says which there were. */
function begins(statements: readonly PgStatement[]): string[] {
  return statements.map(({ text }) => text.replace(/\s+/g, ' ').slice(0, 100))
}

describePostgres('what a save and a page cost', () => {
  test('a lone save is one statement and one sync', async () => {
    const { history, cost } = await rig()
    const { statements, syncs } = await cost(() => history.saveMessage('c', MESSAGE))
    expect(begins(statements)).toHaveLength(1)
    expect(syncs).toBe(1)
  })

  test('a save with an id of the caller is one statement and one sync', async () => {
    const { history, cost } = await rig()
    const { statements, syncs } = await cost(() =>
      history.saveMessage('c', { ...MESSAGE, id: 'mine' }),
    )
    expect(begins(statements)).toHaveLength(1)
    expect(syncs).toBe(1)
  })

  test('saves of several messages at once are one statement and one sync', async () => {
    const { history, cost } = await rig()
    const messages = Array.from({ length: BURST }, () => MESSAGE)
    const { statements, syncs } = await cost(() => history.saveMessages('c', messages))
    expect(begins(statements)).toHaveLength(1)
    expect(syncs).toBe(1)
  })

  test(`${BURST} saves at the same time share a few statements and syncs`, async () => {
    const { history, cost } = await rig()
    const { statements, syncs } = await cost(() => burst(history))
    // Two batches start at once; the others are in the next one.
    expect(begins(statements).length).toBeLessThanOrEqual(4)
    expect(syncs).toBeLessThanOrEqual(3)
  })

  test('the log is written once for each message, and little more than its text', async () => {
    const { history, cost } = await rig()
    const { bytes } = await cost(() => burst(history))
    expect(bytes / BURST).toBeGreaterThan(encodeJson(MESSAGE).length)
    expect(bytes / BURST).toBeLessThan(encodeJson(MESSAGE).length + FRAME_BYTES_MAX)
  })

  test('with wal-first the log alone is waited for, and the primary gets few statements', async () => {
    const { history, env, cost } = await rig('wal-first')
    // Opens the connections: what each of them asks first is no cost of a save.
    await burst(history)
    await flush(history, env)
    const { statements, syncs } = await cost(async () => {
      await burst(history)
      await flush(history, env)
    })
    expect(begins(statements).length).toBeLessThanOrEqual(4)
    expect(syncs).toBeLessThanOrEqual(3)
  })

  test('a page is one statement that reads its own length, however long the conversation', async () => {
    const { history, env, cost } = await rig()
    await history.saveMessages(
      'long',
      Array.from({ length: 20 * PAGE }, () => MESSAGE),
    )
    await flush(history, env)
    const { statements } = await cost(() => history.getHistory('long', { limit: PAGE }))
    expect(begins(statements)).toHaveLength(1)
    const scans = await explain(postgresUrl!, statements[0]!)
    const rows = scans.reduce((sum, scan) => sum + scan.rows, 0)
    expect(rows, JSON.stringify(scans)).toBeLessThanOrEqual(PAGE + 5)
  })

  test('a page while messages are pending for the backup costs no more', async () => {
    const { history, cost } = await rig()
    await burst(history)
    const { statements } = await cost(() => history.getHistory('c1', { limit: PAGE }))
    expect(begins(statements)).toHaveLength(1)
  })
})

test('a store that is closed leaves no timer', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-cost-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const env = virtualEnv({ disk: nodeDisk, startMs: Date.now() })
  const history = await openChatHistory({
    primary: `sqlite:${join(directory, 'primary.db')}`,
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
    env,
  })
  await burst(history)
  expect(env.pendingTimers()).toBeGreaterThan(0)
  await env.drive(history.close())
  expect(env.pendingTimers()).toBe(0)
})
