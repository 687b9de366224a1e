import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import { isStorageError, StorageConnectionError, type StorageError } from '../../src/core/errors.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { message } from '../support/messages.ts'
import {
  describePostgres,
  freshSchema,
  openPostgres,
  postgresUrl,
} from '../support/postgres-backend.ts'
import { hasPostgres } from '../support/postgres-binaries.ts'
import { describePgBouncer, startPgBouncer } from '../support/pgbouncer.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'

// Goal: what a PostgreSQL can be asked about is asked before it holds a message.
// Method: databases, roles and tables that break an assumption of docs/assumptions.md, one each.
describePostgres('PostgreSQL that cannot keep the promises', () => {
  test.each(['LATIN1', 'SQL_ASCII', 'EUC_JP'])('a database in %s is refused', async (encoding) => {
    const database = freshName()
    await sql(
      `CREATE DATABASE ${database} ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    )
    onTestFinished(() => sql(`DROP DATABASE ${database} WITH (FORCE)`).then(() => {}))
    const error = await refusal({ ...freshSchema(), database })
    expect(error.code).toBe('UNSUPPORTED')
    expect(error.message).toContain(`UTF8, got ${encoding}`)
  })

  test('a role that may not write the tables is refused, with what it lacks', async () => {
    const options = freshSchema()
    await openPostgres(options)
    const user = freshName()
    await sql(`CREATE ROLE ${user} LOGIN; GRANT USAGE ON SCHEMA ${options.schema} TO ${user};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${options.schema} TO ${user}`)
    const error = await refusal({ ...options, user })
    expect(error.code).toBe('UNSUPPORTED')
    expect(error.message).toContain('INSERT')
    await sql(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${options.schema} TO ${user};
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${options.schema} TO ${user}`)
    const backend = await openPostgres({ ...options, user })
    await backend.append('k', 1)
  })

  test('a role that may not read the tables is refused, not looked for again', async () => {
    const options = freshSchema()
    await openPostgres(options)
    const user = freshName()
    await sql(`CREATE ROLE ${user} LOGIN; GRANT USAGE ON SCHEMA ${options.schema} TO ${user}`)
    expect((await refusal({ ...options, user })).code).toBe('UNSUPPORTED')
  })

  test('tables whose rows are hidden by row security are refused', async () => {
    const options = freshSchema()
    const owner = await openPostgres(options)
    await owner.append('k', 1)
    const user = freshName()
    await sql(`CREATE ROLE ${user} LOGIN; GRANT USAGE ON SCHEMA ${options.schema} TO ${user};
      GRANT ALL ON ALL TABLES IN SCHEMA ${options.schema} TO ${user};
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${options.schema} TO ${user};
      ALTER TABLE ${options.schema}.everthread_items ENABLE ROW LEVEL SECURITY`)
    const error = await refusal({ ...options, user })
    expect(error.code).toBe('UNSUPPORTED')
    expect(error.message).toMatch(/everthread_items.*row security/)
  })

  test('tables that a crash empties are refused', async () => {
    const options = freshSchema()
    await openPostgres(options)
    await sql(`ALTER TABLE ${options.schema}.everthread_items SET UNLOGGED`)
    const error = await refusal(options)
    expect(error.code).toBe('UNSUPPORTED')
    expect(error.message).toMatch(/everthread_items.*UNLOGGED/)
  })
})

describe.skipIf(!hasPostgres())('a PostgreSQL standby', () => {
  test('is not used, though it would answer reads, until it is promoted', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    await standbyIsNotUsed(server, server.url)
  })
})

describePgBouncer('a PostgreSQL standby behind a pooler', () => {
  test('is not used, though the connections to the pooler stay', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const serverPort = server.port
    const bouncer = await startPgBouncer({ serverPort, mode: 'transaction', poolSize: 3 })
    onTestFinished(() => bouncer.stop())
    await standbyIsNotUsed(server, bouncer.url)
  })
})

async function standbyIsNotUsed(server: PostgresServer, url: string): Promise<void> {
  const backend = new PostgresBackend({ url })
  onTestFinished(() => backend.disconnect())
  await backend.connect()
  await backend.append('k', 1)
  await server.restart({ standby: true })
  await eventually(async () => {
    const error = await failure(backend.countItems('k'))
    expect(error.message).toContain('standby')
  })
  const write = await failure(backend.apply([message('k')]))
  expect([write.code, write.effect]).toEqual(['UNAVAILABLE', 'none'])
  expect(await refusal({ url })).toBeInstanceOf(StorageConnectionError)
  await sql('SELECT pg_promote()', server.url)
  await backend.append('k', 2)
  expect(await backend.getRange('k', 0, 10)).toEqual([1, 2])
}

function freshName(): string {
  return `unfit_${randomBytes(6).toString('hex')}`
}

async function refusal(options: PostgresOptions): Promise<StorageError> {
  const backend = new PostgresBackend(options)
  onTestFinished(() => backend.disconnect())
  return await failure(backend.connect())
}

async function failure(call: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (isStorageError(error) || error instanceof StorageConnectionError) return error
  throw new Error(`expected a StorageError, got ${String(error)}`)
}

async function sql(text: string, url = postgresUrl!): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
