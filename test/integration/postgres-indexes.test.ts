import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PgStatement } from '../../src/backend/postgres/connection/pg-types.ts'
import type { JsonText } from '../../src/core/json.ts'
import type { PutOperation } from '../../src/core/operation.ts'
import { stampFloor, type Stamp } from '../../src/core/stamp.ts'
import { explain, type TableScan } from '../support/explain.ts'
import { describePostgres, freshSchema, postgresUrl } from '../support/postgres-backend.ts'
import { recordingPool } from '../support/recording-pool.ts'

const LENGTH = 10_000
const PAGE = 50
const BEGIN_MS = 1_700_000_000_000

// Goal: the cost of a save and of a page does not grow with the conversation, nor with the number
// of conversations.
// Method: 10,000 messages in one conversation for each kind of id, 10,000 other conversations; the
// statements that a call really sends are recorded and explained, with the plan that does not depend
// on values, and the rows they read are counted.
describePostgres('PostgreSQL reads and writes by index', () => {
  test.each([
    ['own', 'analysed'],
    ['caller', 'analysed'],
    ['caller-uuid', 'analysed'],
    ['mixed', 'analysed'],
    // Plans that were made without statistics are kept until somebody makes some.
    ['own', 'never analysed'],
    ['caller', 'never analysed'],
  ] as const)('with %s ids, tables %s', async (kind, analysed) => {
    const { backend, send } = await setup(kind, { analysed: analysed === 'analysed' })
    const edge = stamp(LENGTH / 2)
    const next = put('long', kind, LENGTH + 1)
    const costs = {
      append: await send(() => backend.apply([next], { decide: true })),
      unique: await send(() =>
        backend.apply([put('long', kind, LENGTH + 2)], { decide: true, unique: true }),
      ),
      repeat: await send(() => backend.apply([next], { decide: true, unique: true })),
      edit: await send(() => backend.apply([edit(next)], { decide: true })),
      clear: await send(() =>
        backend.apply([{ kind: 'delete', key: 'long', stamp: stamp(1) }], { decide: true }),
      ),
      newest: await send(() => backend.readItems({ key: 'long', limit: PAGE, order: 'newest' })),
      before: await send(() =>
        backend.readItems({ key: 'long', limit: PAGE, order: 'newest', before: edge }),
      ),
      oldest: await send(() =>
        backend.readItems({ key: 'long', limit: PAGE, order: 'oldest', after: edge }),
      ),
      byId: await send(() => backend.readItemsById('long', [next.id])),
      keys: await send(() => backend.listKeys({ prefix: 'other-5', limit: PAGE })),
      latest: await send(() => backend.listLatest({ prefix: '', limit: PAGE })),
      state: await send(() => backend.readState('writer')),
    }
    for (const [name, scans] of Object.entries(costs)) {
      const bad = scans.filter(({ type, rows }) => type === 'Seq Scan' && rows > 10)
      expect(bad, `${name} reads a table from end to end`).toEqual([])
      const rows = scans.reduce((sum, scan) => sum + scan.rows, 0)
      expect(rows, `${name}: ${JSON.stringify(scans)}`).toBeLessThan(8 * PAGE)
    }
  })

  // An application's pool: its sessions may plan bitmaps and sorts.
  test.each(['own', 'mixed'] as const)(
    'a page of one long conversation with %s ids, in a session with the settings of the server',
    async (kind) => {
      const { backend, send } = await setup(kind, { alone: true, settings: 'server' })
      const edge = stamp(LENGTH / 2)
      for (const query of [
        { order: 'newest' },
        { order: 'newest', before: edge },
        { order: 'oldest', after: edge },
        { order: 'newest', includeRemoved: true },
      ] as const) {
        const scans = await send(() => backend.readItems({ key: 'long', limit: PAGE, ...query }))
        const rows = scans.reduce((sum, scan) => sum + scan.rows, 0)
        expect(rows, `${JSON.stringify(query)}: ${JSON.stringify(scans)}`).toBeLessThan(8 * PAGE)
      }
    },
  )

  test.each([
    ['engine', 'small', 'other'],
    ['server', 'small', 'other'],
    ['engine', 'org:1', 'org:2'],
  ] as const)(
    'the latest conversations of a tenant among many of others, with settings of the %s: %s, %s',
    async (settings, own, others) => {
      const { backend, client, schema, send } = await setup('own', { alone: true, settings })
      // All of the others were active later than this tenant.
      await client.query(`INSERT INTO ${schema}.everthread_keys (key, touched)
        SELECT 'chat/5:${others}:' || n, (lpad(to_hex(${BEGIN_MS}::bigint + n), 12, '0') || '70008000' ||
          lpad(to_hex(n), 12, '0'))::uuid FROM generate_series(1, 100000) n`)
      await backend.apply(
        Array.from({ length: 3 * PAGE }, (_, n) => put(`chat/5:${own}:${n}`, 'own', -1 - n * 20)),
      )
      for (const analysed of settings === 'engine' ? [false, true] : [true]) {
        if (analysed) await client.query(`ANALYZE ${schema}.everthread_keys`)
        const prefix = `chat/5:${own}:`
        const scans = await send(() => backend.listLatest({ prefix, limit: PAGE }))
        const keys = scans.filter(({ table }) => table === 'everthread_keys')
        const pages = keys.reduce((sum, scan) => sum + scan.pages, 0)
        expect(pages, JSON.stringify(keys)).toBeLessThan(PAGE)
      }
    },
  )

  test('a digest and a scan of a narrow range read a small part of the table', async () => {
    const { backend, send } = await setup('own', { alone: true })
    const range = { from: stampFloor(BEGIN_MS), to: stampFloor(BEGIN_MS + 1_000) }
    const calls = {
      digest: () => backend.digest(range, 64),
      scan: async () => {
        const found = []
        for await (const stored of backend.scanStored(range)) found.push(stored)
        expect(found).toHaveLength(9)
      },
    }
    for (const [name, call] of Object.entries(calls)) {
      const scans = await send(call)
      const rows = scans.reduce((sum, scan) => sum + scan.rows, 0)
      expect(rows, `${name}: ${JSON.stringify(scans)}`).toBeLessThan(LENGTH / 10)
    }
  })

  test('an append to a known conversation writes one row and one index entry', async () => {
    const { backend, client, schema } = await setup('own')
    // Two seconds later: this one touches the key, and those of the same second need not.
    await backend.apply([put('long', 'own', LENGTH + 20)], { decide: true })
    const before = await counts(client, schema)
    for (let i = 1; i <= 10; i++) {
      await backend.apply([put('long', 'own', LENGTH + 20 + i / 20)], { decide: true })
    }
    const after = await counts(client, schema)
    expect(after.keys).toBe(before.keys)
    expect(after.items - before.items).toBe(10)
    expect(after.moved).toBe(0)
  })
})

type Kind = 'own' | 'caller' | 'caller-uuid' | 'mixed'

interface SetupOptions {
  readonly analysed?: boolean
  /** Without other conversations, and with messages of some length. */
  readonly alone?: boolean
  readonly settings?: 'engine' | 'server'
}

async function setup(
  kind: Kind,
  { analysed = true, alone = false, settings = 'engine' }: SetupOptions = {},
): Promise<{
  backend: PostgresBackend
  client: pg.Client
  schema: string
  send: (call: () => Promise<unknown>) => Promise<TableScan[]>
}> {
  const recorder = recordingPool(postgresUrl!)
  const schema = freshSchema().schema!
  const backend = new PostgresBackend({ pool: recorder.pool, schema })
  const client = new pg.Client(postgresUrl)
  await client.connect()
  onTestFinished(async () => {
    await backend.disconnect()
    await recorder.close()
    await client.end()
  })
  await backend.connect()
  for (const table of ['keys', 'items']) {
    await client.query(`ALTER TABLE ${schema}.everthread_${table} SET (autovacuum_enabled = off)`)
  }
  const operations = [
    ...Array.from({ length: LENGTH }, (_, i) => ({
      ...put('long', kind, i + 1),
      ...(alone && { value: JSON.stringify('hello'.repeat(120)) as JsonText }),
    })),
    // Spread over hours: few are touched within seconds of one another.
    ...Array.from({ length: alone ? 0 : LENGTH }, (_, i) => put(`other-${i}`, 'own', -i * 100)),
  ]
  for (let from = 0; from < operations.length; from += 500) {
    await backend.apply(operations.slice(from, from + 500))
  }
  if (analysed) {
    await client.query(`ANALYZE ${schema}.everthread_keys, ${schema}.everthread_items`)
  }
  const send = async (call: () => Promise<unknown>): Promise<TableScan[]> => {
    const from = recorder.statements.length
    await call()
    const sent: PgStatement[] = recorder.statements.slice(from)
    const scans: TableScan[] = []
    for (const [i, statement] of sent.entries()) {
      if (statement.name === undefined) continue
      const byBlocks = sent[i - 1]?.text === 'SET LOCAL enable_bitmapscan = on'
      scans.push(...(await explain(postgresUrl!, statement, byBlocks ? 'blocks' : settings)))
    }
    return scans
  }
  return { backend, client, schema, send }
}

async function counts(
  client: pg.Client,
  schema: string,
): Promise<{ keys: number; items: number; moved: number }> {
  const { rows } = await client.query<Record<'keys' | 'items' | 'moved', string>>(
    `SELECT (SELECT xmin::text FROM ${schema}.everthread_keys WHERE key = 'long') AS keys,
       (SELECT count(*) FROM ${schema}.everthread_items) AS items,
       (SELECT count(*) FROM ${schema}.everthread_items WHERE position <> item) AS moved`,
  )
  const { keys, items, moved } = rows[0]!
  return { keys: Number(keys), items: Number(items), moved: Number(moved) }
}

/** Ten messages a second. */
function stamp(n: number, writer = 1): Stamp {
  const time = stampFloor(BEGIN_MS + n * 100).slice(0, 13)
  return `${time}-7000-8000-${String(writer).padStart(12, '0')}` as Stamp
}

function put(key: string, kind: Kind, n: number): PutOperation & { change: 'append' } {
  const ids = {
    own: () => stamp(n),
    caller: () => `message ${n}`,
    'caller-uuid': () => stamp(n, 2),
    mixed: () => (n % 2 === 0 ? stamp(n) : stamp(n, 2)),
  }
  const position = stamp(n)
  const value = '{"role":"user","content":"hello"}' as JsonText
  return { kind: 'put', change: 'append', key, id: ids[kind](), position, stamp: position, value }
}

function edit({ key, id, position }: PutOperation): PutOperation {
  const value = '"edited"' as JsonText
  return { kind: 'put', change: 'edit', key, id, position, stamp: stamp(LENGTH + 3), value }
}
