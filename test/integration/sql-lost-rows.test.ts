// Goal: what somebody else has removed from the tables of a database, or set back in them, is never taken
// for what was never there, and comes back from the other database. Method: statements that no code of ours
// runs, on PostgreSQL and on a SQLite file; the backup has everything, in memory.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { append } from '../../src/testing/backend/operations.ts'
import { freshSchema, openPostgres, postgresUrl } from '../support/postgres-backend.ts'
import { reconcilerRig, type ReconcilerRig } from '../support/reconciler-rig.ts'
import { at, expected, OPERATIONS, probe, readAll, wrongReads } from '../support/whole-reads.ts'

interface Engine {
  readonly name: string
  readonly isThere: boolean
  /** SQL: a stamp. */
  readonly stamp: (second: number) => string
  /** SQL: the items of a key. */
  readonly itemsOf: (key: string) => string
  readonly open: () => Promise<Opened>
}

interface Opened {
  readonly primary: ReplicaBackend
  readonly run: (sql: string) => Promise<void>
}

const SQLITE: Engine = {
  name: 'SQLite',
  isThere: true,
  stamp: (second) => `x'${at(second).replaceAll('-', '')}'`,
  itemsOf: (key) => `key_id = (SELECT key_id FROM everthread_keys WHERE key = '${key}')`,
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'everthread-lost-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'chat.db')
    const primary = new SqliteBackend({ path })
    await primary.connect()
    onTestFinished(() => primary.disconnect())
    const driver = await loadSqliteDriver()
    const run = async (sql: string): Promise<void> => {
      const database = driver.open(path)
      database.exec(sql)
      database.close()
    }
    return { primary, run }
  },
}

const POSTGRES: Engine = {
  name: 'PostgreSQL',
  isThere: postgresUrl !== undefined,
  stamp: (second) => `'${at(second)}'`,
  itemsOf: (key) => `key = '${key}'`,
  open: async () => {
    const options = freshSchema()
    const primary = await openPostgres(options)
    const run = async (sql: string): Promise<void> => {
      const client = new pg.Client({ connectionString: options.url })
      await client.connect()
      try {
        await client.query(`SET search_path = ${options.schema!}`)
        await client.query(sql)
      } finally {
        await client.end()
      }
    }
    return { primary, run }
  },
}

/** What is done to the tables. */
interface Loss {
  readonly what: string
  readonly sql: (engine: Engine) => string
  /** Nobody has these twice: everything is owed and compared again instead. */
  readonly isNote?: true
  readonly engine?: Engine
}

const NOTHING = `'00000000-0000-0000-0000-000000000000'`

const LOSSES: readonly Loss[] = [
  ...['chat/0', 'chat/1', 'chat/2', 'chat/3', 'value/0'].map((key): Loss => ({
    what: `the row of ${key}`,
    sql: () => `DELETE FROM everthread_keys WHERE key = '${key}'`,
  })),
  { what: 'all rows of keys', sql: () => 'DELETE FROM everthread_keys' },
  {
    what: 'the newest message of a conversation',
    sql: ({ stamp }) => `DELETE FROM everthread_items WHERE position = ${stamp(21)}`,
  },
  {
    what: 'the messages of a conversation',
    sql: ({ itemsOf }) => `DELETE FROM everthread_items WHERE ${itemsOf('chat/1')}`,
  },
  { what: 'all messages', sql: () => 'DELETE FROM everthread_items' },
  {
    what: 'the clear of a conversation',
    sql: () =>
      `UPDATE everthread_keys SET deleted_through = NULL, deleted_digest = NULL WHERE key = 'chat/2'`,
  },
  {
    what: 'the stamp of a clear, which is later now,',
    sql: ({ stamp }) =>
      `UPDATE everthread_keys SET deleted_through = ${stamp(90)} WHERE key IN ('chat/2', 'chat/3')`,
  },
  {
    what: 'a conversation without a clear, which has a stamp of one now,',
    sql: ({ stamp }) =>
      `UPDATE everthread_keys SET deleted_through = ${stamp(90)} WHERE key = 'chat/0'`,
  },
  {
    what: 'a value',
    sql: () =>
      `UPDATE everthread_keys SET register_stamp = NULL, register_digest = NULL WHERE key = 'value/1'`,
  },
  {
    what: 'when keys were touched',
    sql: () => `UPDATE everthread_keys SET touched = ${NOTHING}`,
    engine: POSTGRES,
  },
  {
    what: 'when keys were touched',
    sql: () => `UPDATE everthread_keys SET touched = zeroblob(16)`,
    engine: SQLITE,
  },
  {
    what: 'which item is the latest, which is an older one now,',
    sql: ({ stamp }) => `UPDATE everthread_keys SET latest = ${stamp(10)} WHERE key = 'chat/1'`,
    engine: SQLITE,
  },
  {
    what: 'which item is the latest, which is a newer one now,',
    sql: ({ stamp }) => `UPDATE everthread_keys SET latest = ${stamp(90)} WHERE key = 'chat/1'`,
    engine: SQLITE,
  },
  { what: 'the head', sql: () => 'UPDATE everthread_meta SET head = NULL', engine: SQLITE },
  { what: 'an index', sql: () => 'DROP INDEX everthread_keys_touched', engine: SQLITE },
  { what: 'a trigger', sql: () => 'DROP TRIGGER everthread_keys_lost', engine: SQLITE },
  { what: 'the notes of the database', sql: () => 'DELETE FROM everthread_meta', isNote: true },
  { what: 'hints', sql: () => 'DELETE FROM everthread_hints', isNote: true },
  { what: 'cursors', sql: () => 'DELETE FROM everthread_cursors', isNote: true },
  { what: 'leases', sql: () => 'DELETE FROM everthread_leases', isNote: true },
  ...['keys', 'items', 'hints', 'cursors', 'leases'].map((table): Loss => ({
    what: `the table ${table}, emptied by TRUNCATE,`,
    sql: () => `TRUNCATE everthread_${table}`,
    ...(table !== 'keys' && table !== 'items' && { isNote: true }),
    engine: POSTGRES,
  })),
]

/** Reads that are wrong and call themselves complete. */
async function believed(...args: Parameters<typeof wrongReads>): Promise<readonly string[]> {
  return (await wrongReads(...args)).filter((name) => name.endsWith('complete'))
}

describe.each([SQLITE, POSTGRES].filter(({ isThere }) => isThere))('$name', (engine) => {
  async function setup(): Promise<ReconcilerRig & Opened & { readonly backup: MemoryBackend }> {
    const { primary, run } = await engine.open()
    const backup = new MemoryBackend()
    await backup.connect()
    await Promise.all([primary.apply(OPERATIONS), backup.apply(OPERATIONS)])
    await primary.apply([], { hint: 'w1', cursor: { writer: 'w1', lsn: 7 } })
    await primary.lease!({ name: 'work', holder: 'h', ttlMs: 60_000 })
    const rig = reconcilerRig(primary, backup)
    await rig.reconciler.reconcile()
    await probe(rig.context)
    return { primary, run, backup, ...rig }
  }

  test('while nothing is lost, no part is damaged, and a read is right and complete', async () => {
    const { context, primary, backup, reconciler } = await setup()
    expect(await expected(primary)).toEqual(await expected(backup))
    expect(await reconciler.verify({ deep: true })).toMatchObject({ damaged: 0, differing: 0 })
    const isComplete = async (): Promise<boolean> =>
      (await readAll(context)).every(({ complete }) => complete)
    await expect.poll(isComplete, { timeout: 20_000 }).toBe(true)
  })

  const losses = LOSSES.filter((loss) => (loss.engine ?? engine) === engine)

  test.each(losses)(
    '$what: what is lost is missed, and comes back',
    async ({ sql, isNote = false }) => {
      for (const pass of ['reconcile', 'repair'] as const) {
        const { context, reconciler, primary, backup, run } = await setup()
        const whole = await expected(backup)
        await run(sql(engine))
        expect(await believed(context, whole)).toEqual([])
        await probe(context)
        if (isNote) expect(context.monitor.needsReconcile()).toBe(true)
        else {
          const { damaged, missingInPrimary, differing } = await reconciler.verify()
          expect(damaged + missingInPrimary + differing).toBeGreaterThan(0)
        }
        expect(await believed(context, whole)).toEqual([])
        await reconciler[isNote ? 'reconcile' : pass]()
        const clean = { damaged: 0, differing: 0, missingInPrimary: 0, missingInBackup: 0 }
        expect(await reconciler.verify({ deep: true })).toMatchObject(clean)
        await probe(context)
        expect(context.monitor.isTrusted()).toBe(true)
        expect(await expected(primary)).toEqual(whole)
        expect(await primary.digest(WHOLE_RANGE, 5)).toEqual(await backup.digest(WHOLE_RANGE, 5))
        expect(await reconciler.verify({ deep: true })).toMatchObject(clean)
      }
    },
  )

  test('a key that comes new after a row was lost gets nothing of it', async () => {
    const { primary, run } = await setup()
    await run('DELETE FROM everthread_keys')
    await primary.apply([append('new', at(100), 'mine')])
    expect(await primary.getRange('new', 0, 99)).toEqual(['mine'])
  })

  test('nothing that the store removes itself gives the database another identity', async () => {
    const { primary } = await setup()
    const { identity, hints } = await primary.readState('w1')
    await primary.removeHints(hints)
    await primary.apply([{ kind: 'delete', key: 'chat/0', stamp: at(200) }], { decide: true })
    await primary.apply([{ kind: 'delete', key: 'value/0', stamp: at(201) }], { decide: true })
    await primary.purge!()
    expect(await primary.readState('w1')).toMatchObject({ identity, hints: [], cursor: 7 })
  })
})
