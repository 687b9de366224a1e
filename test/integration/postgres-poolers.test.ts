import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import type { PgPool } from '../../src/backend/postgres/connection/pg-types.ts'
import { everyCall } from '../support/every-postgres-call.ts'
import { message } from '../support/messages.ts'
import { describePgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts'
import { describePostgres, freshSchema, postgresUrl } from '../support/postgres-backend.ts'
import { reconcilerRig } from '../support/reconciler-rig.ts'

/** Server connections of the pooler: few enough to look at each. */
const POOL_SIZE = 3

/** What PgBouncer does with the startup parameter that a direct connection brings its settings in. */
const REFUSED = {}
const IGNORED = { ignore_startup_parameters: 'extra_float_digits,options' }

// Goal: behind a pooler all calls work, and nobody else's session is changed.
// Method: PgBouncer before the shared server. Each of its few server connections is asked for all that a
// session can hold, then used by the engine in every way, then asked again by the same foreign client.
describePgBouncer.each([
  ['transaction', 'refused', REFUSED],
  ['transaction', 'ignored', IGNORED],
  ['session', 'refused', REFUSED],
  ['session', 'ignored', IGNORED],
] as const)('PgBouncer in %s mode, options %s', (mode, _how, settings) => {
  let bouncer: PgBouncer

  beforeAll(async () => {
    const serverPort = Number(new URL(postgresUrl!).port)
    bouncer = await startPgBouncer({
      serverPort,
      mode,
      poolSize: POOL_SIZE,
      // Without a reset between clients: what one leaves behind the next one finds.
      settings: { server_reset_query: '', ...settings },
    })
  })
  afterAll(() => bouncer?.stop())

  const optionsOf = (): PostgresOptions => ({ ...freshSchema(), url: bouncer.url })
  /** In session mode each connection of ours takes one of the pooler's for itself. */
  const own = mode === 'session' ? { maxConnections: 2, inFlightMax: 1 } : {}

  test('leaves every session as it was', async () => {
    const before = await sessions(bouncer.url)
    const backend = await opened({ ...optionsOf(), ...own })
    await everyCall(backend)
    await backend.disconnect()
    const after = await sessions(bouncer.url)
    expect(after).toEqual(before)
    expect(after.size).toBe(POOL_SIZE)
  })

  test('leaves every session as it was, when a pool of the application leads to it', async () => {
    const before = await sessions(bouncer.url)
    const pool = new pg.Pool({ connectionString: bouncer.url, max: 2 })
    const backend = await opened({ ...optionsOf(), pool: pool as unknown as PgPool })
    await everyCall(backend)
    await backend.disconnect()
    await pool.end()
    expect(await sessions(bouncer.url)).toEqual(before)
  })

  test('is reconciled with another database', async () => {
    const primary = await opened({ ...optionsOf(), ...own })
    const backup = await opened(freshSchema())
    await primary.apply(Array.from({ length: 1_200 }, (_, n) => message(`k${n % 7}`, n)))
    const { reconciler } = reconcilerRig(primary, backup)
    await reconciler.reconcile()
    expect((await reconciler.verify({ deep: true })).missingInBackup).toBe(0)
    expect((await backup.countItems('k3')).count).toBe(171)
  })
})

describePostgres('PostgreSQL without a pooler', () => {
  test('needs no transaction around a statement, and no SET', async () => {
    const client = new pg.Client(postgresUrl)
    await client.connect()
    onTestFinished(() => client.end())
    const user = `direct_${randomBytes(6).toString('hex')}`
    await client.query(`CREATE ROLE ${user} LOGIN SUPERUSER`)
    const backend = await opened({ ...freshSchema(), user, maxConnections: 1 })
    await backend.countItems('k')
    const { rows } = await client.query<{ query: string }>(
      'SELECT query FROM pg_stat_activity WHERE usename = $1',
      [user],
    )
    expect(rows.map(({ query }) => query)).toEqual([expect.stringMatching(/^WITH mark/)])
  })

  test('a pool of the application keeps its sessions as they were, but for named statements', async () => {
    const pool = new pg.Pool({ connectionString: postgresUrl!, max: 1 })
    onTestFinished(() => pool.end())
    const [before] = await sessionsOf([await pool.connect()])
    const backend = await opened({ ...freshSchema(), pool: pool as unknown as PgPool })
    await everyCall(backend)
    await backend.disconnect()
    const [after] = await sessionsOf([await pool.connect()])
    expect(after!.pid).toBe(before!.pid)
    expect({ ...after!, statements: [] }).toEqual(before)
  })
})

async function opened(options: PostgresOptions): Promise<PostgresBackend> {
  const backend = new PostgresBackend(options)
  onTestFinished(() => backend.disconnect())
  await backend.connect()
  return backend
}

interface SessionState {
  readonly pid: number
  readonly settings: Readonly<Record<string, string>>
  readonly statements: readonly string[]
  readonly rest: readonly unknown[]
}

/** What each server connection of the pooler holds, by its process. */
async function sessions(url: string): Promise<Map<number, SessionState>> {
  const clients = Array.from({ length: POOL_SIZE }, () => new pg.Client(url))
  await Promise.all(clients.map((client) => client.connect()))
  try {
    const states = await sessionsOf(clients)
    return new Map(states.map((state) => [state.pid, state]))
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

/** Asks all at once, in transactions, so that each has a server connection of its own. */
async function sessionsOf(
  clients: readonly (pg.Client | pg.PoolClient)[],
): Promise<SessionState[]> {
  await Promise.all(clients.map((client) => client.query('BEGIN')))
  const states: SessionState[] = []
  for (const client of clients) {
    const ask = async <T extends object>(text: string): Promise<T[]> =>
      (await client.query<T>(text)).rows
    // A library that a session has loaded shows settings of its own: of our triggers it is this one.
    await ask(`LOAD 'plpgsql'`)
    const all = await ask<{ name: string; setting: string }>('SHOW ALL')
    const [process] = await ask<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const statements = await ask<{ name: string }>('SELECT name FROM pg_prepared_statements')
    states.push({
      pid: process!.pid,
      settings: Object.fromEntries(all.map(({ name, setting }) => [name, setting])),
      statements: statements.map(({ name }) => name),
      rest: [
        await ask('SELECT pg_listening_channels()'),
        await ask('SELECT name FROM pg_cursors'),
        await ask(
          `SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`,
        ),
        await ask('SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()'),
      ],
    })
  }
  for (const client of clients) {
    await client.query('ROLLBACK')
    if ('release' in client) client.release()
  }
  return states
}
