import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import type { PgPool } from '../../src/backend/postgres/connection/pg-types.ts'
import { digestOf } from '../../src/core/digest.ts'
import { isStorageError, type StorageError } from '../../src/core/errors.ts'
import { decodeJson } from '../../src/core/json.ts'
import { itemValue } from '../../src/core/merge.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { message, nextStamp } from '../support/messages.ts'
import {
  describePostgres,
  freshSchema,
  openPostgres,
  postgresUrl,
} from '../support/postgres-backend.ts'
import { recordingPool } from '../support/recording-pool.ts'

describePostgres('PostgreSQL', () => {
  test('200 concurrent saves of one id from four backends leave one message', async () => {
    const options = freshSchema()
    const backends = await Promise.all([0, 1, 2, 3].map(() => openPostgres(options)))
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        backends[i % 4]!.apply([message('k', 'same', 'the-id')], { decide: true, unique: true }),
      ),
    )
    const outcomes = results.map(({ applied }) => applied[0]!.outcome).sort()
    expect(outcomes).toEqual(['applied', ...Array.from({ length: 199 }, () => 'stands')])
    expect((await backends[0]!.countItems('k')).count).toBe(1)
  })

  test('of saves that race for one id each by itself, one is stored and the others say so', async () => {
    const options = freshSchema()
    const backends = await Promise.all([0, 1, 2, 3].map(() => openPostgres(options)))
    for (let round = 0; round < 40; round++) {
      const id = `id-${round}`
      const results = await Promise.all(
        backends.map((backend, i) =>
          backend.apply([message('k', i, id)], { decide: true, unique: true }),
        ),
      )
      const outcomes = results.map(({ applied }) => applied[0]!.outcome)
      expect(outcomes.toSorted()).toEqual(['applied', 'conflict', 'conflict', 'conflict'])
      const { items } = await backends[0]!.readItemsById('k', [id])
      expect(decodeJson(itemValue(items[0]!)!)).toBe(outcomes.indexOf('applied'))
    }
  })

  test('concurrent saves of one id with other contents leave the first and refuse the rest', async () => {
    const options = freshSchema()
    const backends = await Promise.all([0, 1, 2, 3].map(() => openPostgres(options)))
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        backends[i % 4]!.apply([message('k', i, 'the-id'), message('k', i, `other-${i}`)], {
          decide: true,
          unique: true,
        }),
      ),
    )
    const first = results.findIndex(({ applied }) => applied[0]!.outcome === 'applied')
    results.forEach(({ applied }, i) => {
      const expected = i === first ? ['applied', 'applied'] : ['conflict', 'withheld']
      expect(applied.map(({ outcome }) => outcome)).toEqual(expected)
    })
    const { items } = await backends[0]!.readItems({ key: 'k', limit: 100, order: 'oldest' })
    expect(items.map((item) => decodeJson(itemValue(item)!))).toEqual([first, first])
  })

  test('saves, edits, clears and replays of the same items at once do not fail', async () => {
    const options = freshSchema()
    const backends = await Promise.all(
      [0, 1, 2, 3].map(() => openPostgres({ ...options, inFlightMax: 4 })),
    )
    const calls = Array.from({ length: 300 }, async (_, i) => {
      const backend = backends[i % 4]!
      const [a, b] = [`k${i % 3}`, `k${(i + 1) % 3}`]
      if (i % 25 === 0) {
        return await backend.apply([{ kind: 'delete', key: a, stamp: nextStamp() }])
      }
      const [first, second] = [message(a, i, `m${i % 5}`), message(b, i, `m${(i + 2) % 5}`)]
      if (i % 3 === 0) return await backend.apply([first, second])
      return await backend.apply([second, first], { decide: true, unique: i % 2 === 0 })
    })
    await Promise.all(calls)
    for (const key of ['k0', 'k1', 'k2']) {
      const { items } = await backends[0]!.readItems({ key, limit: 100, order: 'oldest' })
      expect(new Set(items.map(({ id }) => id)).size).toBe(items.length)
      expect((await backends[0]!.countItems(key)).count).toBe(items.length)
    }
  })

  test.each([
    ['as many concurrent saves as connections', 4],
    ['twice as many', 8],
    ['fifty times as many', 200],
  ])('%s end', async (_name, count) => {
    const backend = await openPostgres({ maxConnections: 4, inFlightMax: 4 })
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        await backend.append(`k${i}`, i)
        expect(await backend.getRange(`k${i}`, 0, 1)).toEqual([i])
      }),
    )
    expect(backend.getInfo().pool.totalCount).toBeLessThanOrEqual(4)
  })

  test('NUL and lone surrogates in values come back as they were', async () => {
    const backend = await openPostgres()
    const value = { text: 'a\0b \ud800 \udfff \u{1F600}', ['\0']: '\\u0000' }
    await backend.set('k', value)
    await backend.append('k', value)
    expect(await backend.get('k')).toEqual(value)
    expect(await backend.getRange('k', 0, 1)).toEqual([value])
  })

  test('a delete of many messages is complete at once and its rows go in the background', async () => {
    const options = freshSchema()
    const backend = await openPostgres(options)
    for (let i = 0; i < 7; i++) {
      await backend.apply(Array.from({ length: 500 }, (_, n) => message('k', n)))
    }
    await backend.apply([{ kind: 'delete', key: 'k', stamp: nextStamp() }], { decide: true })
    expect((await backend.countItems('k')).count).toBe(0)
    const left = async (): Promise<number> => {
      const rows = await sql(`SELECT count(*) AS n FROM ${options.schema}.everthread_items`)
      return Number(rows[0]!['n'])
    }
    await expect.poll(left, { timeout: 20_000 }).toBe(0)
  })

  test('many keys are deleted by as many statements as one, with all their rows', async () => {
    const recorder = recordingPool(postgresUrl!)
    const { schema } = freshSchema()
    const backend = new PostgresBackend({ pool: recorder.pool, schema: schema! })
    onTestFinished(async () => {
      await backend.disconnect()
      await recorder.close()
    })
    await backend.connect()
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`)
    const statements = async (deleted: readonly string[]): Promise<number> => {
      await backend.apply(keys.flatMap((key) => [message(key), message(key)]))
      const before = recorder.statements.length
      const deletes = deleted.map((key) => ({ kind: 'delete', key, stamp: nextStamp() }) as const)
      await backend.apply(deletes, { decide: true })
      return recorder.statements.length - before
    }
    const alone = await statements(keys.slice(0, 1))
    expect(await statements(keys)).toBe(alone)
    const rows = await sql(`SELECT count(*) AS n FROM ${schema}.everthread_items`)
    expect(Number(rows[0]!['n'])).toBe(0)
  })

  test('maintenance removes rows that arrived after the delete that covers them', async () => {
    const options = freshSchema()
    const backend = await openPostgres(options)
    const late = message('k')
    await backend.apply([message('k')])
    const stamp = nextStamp()
    const digest = digestOf({ kind: 'delete', key: 'k', stamp })
    await sql(`UPDATE ${options.schema}.everthread_keys
      SET deleted_through = '${stamp}', deleted_digest = ${digest}`)
    expect((await backend.apply([late], { decide: true })).applied[0]!.outcome).toBe('behind')
    expect((await backend.countItems('k')).count).toBe(0)
    await backend.maintenance()
    expect(await sql(`SELECT * FROM ${options.schema}.everthread_items`)).toEqual([])
  })
})

describePostgres('PostgreSQL schema', () => {
  test('backends that connect at once make one schema with one identity', async () => {
    const options = freshSchema()
    const backends = await Promise.all([1, 2, 3, 4, 5].map(() => openPostgres(options)))
    const states = await Promise.all(backends.map((backend) => backend.readState('w')))
    expect(new Set(states.map(({ identity }) => identity)).size).toBe(1)
  })

  test('tables of another prefix in the same schema are another database', async () => {
    const options = freshSchema()
    const [a, b] = [
      await openPostgres({ ...options, tablePrefix: 'a_' }),
      await openPostgres({ ...options, tablePrefix: 'b_' }),
    ]
    await a.set('k', 'a')
    expect(await b.get('k')).toBeUndefined()
    expect((await a.readState('w')).identity).not.toBe((await b.readState('w')).identity)
  })

  test('a schema of a later release is refused and left as it is', async () => {
    const options = freshSchema()
    await openPostgres(options)
    await sql(`UPDATE ${options.schema}.everthread_meta SET value = '99' WHERE name = 'version'`)
    const error = await failure(new PostgresBackend(options).connect())
    expect([error.code, error.message]).toEqual([
      'UNSUPPORTED',
      expect.stringContaining('schema version 99'),
    ])
  })

  test('migrate: never refuses a database without tables until migrate was called', async () => {
    const options: PostgresOptions = { ...freshSchema(), migrate: 'never' }
    const backend = new PostgresBackend(options)
    onTestFinished(() => backend.disconnect())
    expect((await failure(backend.connect())).code).toBe('UNSUPPORTED')
    await backend.migrate()
    await backend.connect()
    await backend.set('k', 1)
    expect(await backend.get('k')).toBe(1)
  })

  test('a schema whose keys may have been touched ten seconds ago is brought up to date', async () => {
    const options = freshSchema()
    const old = await openPostgres(options)
    await old.apply([append('quiet', stampAt(0), 1), append('other', stampAt(5_000), 2)])
    await old.apply([append('quiet', stampAt(9_000), 3)])
    await old.disconnect()
    const { schema } = options
    await sql(`UPDATE ${schema}.everthread_keys SET touched = '${stampAt(0)}' WHERE key = 'quiet'`)
    await sql(`ALTER TABLE ${schema}.everthread_items
      DROP COLUMN edited_of, DROP COLUMN removed_of, DROP COLUMN removed_digest`)
    await sql(`UPDATE ${schema}.everthread_meta SET value = '2' WHERE name = 'version'`)
    const backend = await openPostgres(options)
    expect((await backend.readState('w')).head).toBe(stampAt(9_000))
    const rows = await sql(`SELECT key, touched FROM ${schema}.everthread_keys ORDER BY key`)
    expect(rows).toEqual([
      { key: 'other', touched: stampAt(5_000) },
      { key: 'quiet', touched: stampAt(9_000) },
    ])
  })

  test('a database that is made anew while connected is used, with its new identity', async () => {
    const options = freshSchema()
    const backend = await openPostgres(options)
    const { identity } = await backend.readState('w')
    await backend.set('k', 1)
    await sql(`DROP SCHEMA ${options.schema} CASCADE`)
    expect(await backend.get('k')).toBeUndefined()
    await backend.set('k', 2)
    expect(await backend.get('k')).toBe(2)
    expect((await backend.readState('w')).identity).not.toBe(identity)
  })
})

describePostgres('PostgreSQL settings', () => {
  test('the default settings are durable and are told', async () => {
    const backend = await openPostgres()
    expect(backend.getDurability().durable).toBe(true)
    const info = await backend.getServerInfo()
    expect(info.settings).toMatchObject({ fsync: 'on', synchronousCommit: 'on' })
    expect(info.tables.map(({ table }) => table)).toContain('everthread_items')
  })

  test('its connections and its address are told without a password', async () => {
    const backend = await openPostgres({ maxConnections: 3 })
    const { port } = new URL(postgresUrl!)
    const config = { host: '127.0.0.1', port: Number(port), database: 'postgres', ssl: false }
    const pool = { totalCount: 1, idleCount: 1, waitingCount: 0 }
    expect(backend.getInfo()).toEqual({ type: 'postgresql', connected: true, pool, config })
    await backend.disconnect()
    expect(backend.getInfo()).toMatchObject({ connected: false, pool: { totalCount: 0 } })
  })

  test('a role that commits without waiting is made to wait in our sessions', async () => {
    const user = await role('SET synchronous_commit = off')
    const backend = await openPostgres({ user })
    expect(backend.getDurability().durable).toBe(true)
    expect((await backend.getServerInfo()).settings.synchronousCommit).toBe('on')
  })

  test('in a pool of the application it is left as it is, and not called durable', async () => {
    const user = await role('SET synchronous_commit = off')
    const connectionString = postgresUrl!.replace('//postgres@', `//${user}@`)
    const pool = new pg.Pool({ connectionString, max: 2 })
    onTestFinished(() => pool.end())
    const backend = await openPostgres({ pool: pool as unknown as PgPool })
    expect(backend.getDurability()).toEqual({
      durable: false,
      reasons: ['synchronous_commit is off'],
    })
  })

  test('a pool of the application is left open by disconnect', async () => {
    const pool = new pg.Pool({ connectionString: postgresUrl!, max: 2 })
    onTestFinished(() => pool.end())
    const backend = await openPostgres({ pool: pool as unknown as PgPool })
    await backend.set('k', 1)
    await backend.disconnect()
    const { rows } = await pool.query<{ n: number }>('SELECT 1 AS n')
    expect(rows).toEqual([{ n: 1 }])
    expect(pool.listenerCount('error')).toBe(0)
  })

  test('connecting again and again leaves nothing on the connections of such a pool', async () => {
    const pool = new pg.Pool({ connectionString: postgresUrl!, max: 1 })
    onTestFinished(() => pool.end())
    const counts = []
    for (let i = 0; i < 3; i++) {
      const backend = await openPostgres({ pool: pool as unknown as PgPool })
      await backend.disconnect()
      const client = await pool.connect()
      counts.push(client.listenerCount('error') + client.listenerCount('end'))
      client.release()
    }
    expect(new Set(counts).size).toBe(1)
  })
})

describePostgres('PostgreSQL deadlines', () => {
  test('a statement that waits too long is cancelled by the server, without effect', async () => {
    const { backend, release } = await locked({ statementTimeoutMs: 300 })
    const error = await failure(backend.apply([message('k')], { decide: true }))
    expect([error.code, error.effect]).toEqual(['TIMEOUT', 'none'])
    await release()
    expect((await backend.countItems('k')).count).toBe(0)
    await backend.append('k', 1)
    expect((await backend.countItems('k')).count).toBe(1)
  })

  test('a read ends at its own deadline, and its connection is not used again', async () => {
    const { backend, release } = await locked({ maxConnections: 1 })
    const error = await failure(backend.countItems('k', { timeoutMs: 100 }))
    expect([error.code, error.effect]).toEqual(['TIMEOUT', 'none'])
    await release()
    expect((await backend.countItems('k', { timeoutMs: 5_000 })).count).toBe(0)
  })

  test('the server gives up the statement of a call that has ended', async () => {
    const user = await role()
    const { backend, release } = await locked({ user })
    await failure(backend.countItems('k', { timeoutMs: 100 }))
    await eventually(async () => {
      const rows = await sql(`SELECT query FROM pg_stat_activity
          WHERE usename = '${user}' AND wait_event_type = 'Lock'`)
      expect(rows).toEqual([])
    })
    await release()
  })

  test('a write ends at its own deadline with an unknown effect', async () => {
    const { backend, release } = await locked({})
    const operation = message('k')
    const error = await failure(backend.apply([operation], { timeoutMs: 100 }))
    expect([error.code, error.effect]).toEqual(['TIMEOUT', 'unknown'])
    await release()
    // Repeating it is harmless, whether or not the first was applied.
    await backend.apply([operation])
    expect((await backend.countItems('k')).count).toBe(1)
  })

  test('an aborted read ends at once', async () => {
    const { backend, release } = await locked({})
    const controller = new AbortController()
    const call = failure(backend.countItems('k', { signal: controller.signal }))
    controller.abort(new Error('no longer needed'))
    const error = await call
    expect([error.code, error.effect]).toEqual(['TIMEOUT', 'none'])
    await release()
  })

  test('a call that waits for a connection ends at its deadline, and does not take one', async () => {
    const { backend, release } = await locked({ maxConnections: 1 })
    const first = backend.countItems('k')
    const second = await failure(backend.readRegister('k', { timeoutMs: 50 }))
    expect(second.code).toBe('TIMEOUT')
    await release()
    expect((await first).count).toBe(0)
    expect((await backend.readRegister('k')).register).toBeUndefined()
  })
})

describePostgres('PostgreSQL connections that drop', () => {
  test('idle connections that are terminated neither end the process nor fail a call', async () => {
    const errors = vi.fn()
    process.on('uncaughtException', errors)
    onTestFinished(() => void process.off('uncaughtException', errors))
    const user = await role()
    const backend = await openPostgres({ user, inFlightMax: 5 })
    await Promise.all(Array.from({ length: 8 }, (_, i) => backend.countItems(`k${i}`)))
    expect(backend.getInfo().pool.idleCount).toBeGreaterThan(1)
    const ended = await sql(
      `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${user}'`,
    )
    const pids = ended.map(({ pid }) => pid as number).join(', ')
    await eventually(async () => {
      // Not all of the role: a look whether the server is there may have connected again.
      const rows = await sql(`SELECT 1 FROM pg_stat_activity WHERE pid IN (${pids})`)
      expect(rows).toEqual([])
    })
    // The sockets are told in the next turns of the loop.
    await new Promise((resolve) => setTimeout(resolve, 50))
    await backend.append('k', 1)
    expect(await backend.getRange('k', 0, 1)).toEqual([1])
    expect(errors).not.toHaveBeenCalled()
  })

  test('a connection that is terminated in the middle of a save tells what is known', async () => {
    const user = await role()
    const { backend, release } = await locked({ user })
    const call = failure(backend.apply([message('k')], { decide: true }))
    await eventually(async () => {
      const rows = await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE usename = '${user}' AND wait_event_type = 'Lock'`)
      expect(rows).toHaveLength(1)
    })
    const error = await call
    expect([error.code, error.effect]).toEqual(['UNAVAILABLE', 'unknown'])
    await release()
    await backend.append('k', 1)
  })
})

/** A backend whose tables are locked by somebody else until `release`. */
async function locked(
  options: Partial<PostgresOptions>,
): Promise<{ backend: PostgresBackend; release: () => Promise<void> }> {
  const chosen = { ...freshSchema(), ...options }
  const backend = await openPostgres(chosen)
  await backend.countItems('k')
  const client = new pg.Client(postgresUrl)
  await client.connect()
  await client.query('BEGIN')
  await client.query(`LOCK TABLE ${chosen.schema}.everthread_keys IN ACCESS EXCLUSIVE MODE`)
  return { backend, release: () => client.end() }
}

/** A superuser of this test's own, so that its connections can be told from others. */
async function role(setting?: string): Promise<string> {
  const name = `role_${nextStamp().replaceAll('-', '')}`
  await sql(`CREATE ROLE ${name} LOGIN SUPERUSER`)
  if (setting !== undefined) await sql(`ALTER ROLE ${name} ${setting}`)
  return name
}

async function sql(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(postgresUrl)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

async function failure(call: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!isStorageError(error) && (error as Error | undefined)?.name !== 'StorageError') {
    throw new Error(`expected a StorageError, got ${String(error)}`)
  }
  return error as StorageError
}
