import { beforeAll, describe, expect, test } from 'vitest'
import { append, clear, edit, set, stampAt } from '../../testing/backend/operations.ts'
import { WHOLE_RANGE } from '../buckets.ts'
import type { BatchCall } from '../batcher.ts'
import { applyBatch } from './apply.ts'
import { KeyTable } from './rows/key-table.ts'
import { openConnection } from './connection/open-connection.ts'
import { bucketsOf } from '../buckets.ts'
import { addDigests } from './rows/digest.ts'
import { readKeyIds } from './rows/key-pages.ts'
import { loadSqliteDriver, type SqliteDriver, type SqliteValue } from './connection/driver.ts'
import { readLatestKeys } from './rows/list-latest.ts'
import { migrate } from './upkeep/migrations.ts'
import { resolveSqliteOptions } from './connection/options.ts'
import { readPage } from './rows/read-items.ts'
import { keysWithRows, readScanPage, SCAN_START } from './rows/scan.ts'
import type { SqliteConnection } from './connection/connection.ts'

let connection: SqliteConnection
let statements: { readonly sql: string; readonly values: readonly SqliteValue[] }[] = []

// Goal: no call's cost grows with the length of a list or with the number of keys, unless it must.
// Method: every SQL text that a call runs is recorded; then SQLite is asked how it would run it.
beforeAll(async () => {
  const driver = recording(await loadSqliteDriver())
  connection = openConnection(driver, resolveSqliteOptions({ path: ':memory:' }))
  migrate(connection, 'identity')
})

function recording({ open, ...driver }: SqliteDriver): SqliteDriver {
  return {
    ...driver,
    open(path) {
      const database = open(path)
      return {
        exec: (sql) => database.exec(sql),
        close: () => database.close(),
        prepare(sql) {
          const statement = database.prepare(sql)
          const record = (values: readonly SqliteValue[]): void =>
            void statements.push({ sql, values })
          return {
            run: (...values) => (record(values), statement.run(...values)),
            get: (...values) => (record(values), statement.get(...values)),
            all: (...values) => (record(values), statement.all(...values)),
          }
        },
      }
    },
  }
}

/** The steps of the plans of everything that ran, apart from those of inner loops of no tables. */
function plansOf(work: () => void): string[] {
  statements = []
  work()
  const distinct = new Map(statements.map(({ sql, values }) => [sql, values]))
  return [...distinct]
    .filter(([sql]) => /^\s*(SELECT|INSERT|UPDATE|DELETE)/.test(sql))
    .flatMap(([sql, values]) =>
      connection
        .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values)
        .map(({ detail }) => detail),
    )
}

function call(...operations: BatchCall['operations']): BatchCall {
  return { operations, decide: true, unique: true }
}

const META = /everthread_meta/

describe('plans', () => {
  test('an append of any kind looks nothing up but by index', () => {
    const plans = plansOf(() => {
      const at = stampAt(1)
      applyBatch(connection, new KeyTable(connection), [
        call(append('k', at, 1)),
        call(append('k', stampAt(2), 1, 'caller')),
        call(append('k', stampAt(3), 1, 'caller')),
        call(edit('k', 'caller', stampAt(2), stampAt(4), 1)),
        call(append('k', stampAt(90_000), 1, at)),
        call(set('k', stampAt(90_001), 1)),
      ])
    })
    expect(plans.filter((step) => /SCAN/.test(step) && !META.test(step))).toEqual([])
    expect(plans.some((step) => /SEARCH everthread_items USING INDEX/.test(step))).toBe(true)
    expect(plans.filter((step) => /TEMP B-TREE/.test(step))).toEqual([])
  })

  test.each(['newest', 'oldest'] as const)('the %s page is two index ranges in order', (order) => {
    const plans = plansOf(() => {
      readPage(connection, 1, { key: 'k', order, limit: 10, before: stampAt(9) })
      readPage(connection, 1, { key: 'k', order, limit: 10, includeRemoved: true })
    })
    expect(plans).toHaveLength(4)
    for (const step of plans) {
      expect(step).toMatch(
        /^SEARCH everthread_items USING INDEX .*\(key_id=\? AND (item|position)>\? AND (item|position)<\?\)$/,
      )
    }
    expect(plans.filter((step) => step.includes('everthread_items_moved'))).toHaveLength(2)
  })

  test.each(['newest', 'oldest'] as const)(
    'the %s page goes through no ids that are stamps of other times',
    (order) => {
      const key = `listed ${order}`
      const at = order === 'newest' ? 1_000 : -1_000
      const listed = Array.from({ length: 200 }, (_, i) =>
        append(key, stampAt(200_000 + at + i), 1, stampAt(200_000 + i)),
      )
      applyBatch(connection, new KeyTable(connection), [call(...listed)])
      const keyId = connection.get<{ id: number }>(
        'SELECT key_id AS id FROM everthread_keys WHERE key = ?',
        key,
      )!.id
      statements = []
      const { items, done } = readPage(connection, keyId, { key, order, limit: 10 })
      const ids = listed.map((one) => one.position)
      const expected = order === 'newest' ? ids.slice(-10).reverse() : ids.slice(0, 10)
      expect({ ids: items.map(({ position }) => position), done }).toEqual({
        ids: expected,
        done: false,
      })
      const [, low, high] = statements.find(({ sql }) => sql.includes('position = item'))!.values
      const { rows } = connection.get<{ rows: number }>(
        'SELECT count(*) AS rows FROM everthread_items WHERE key_id = ? AND item > ? AND item < ?',
        keyId,
        low!,
        high!,
      )!
      expect(rows).toBeLessThanOrEqual(20)
    },
  )

  test('the latest keys come from the index on latest, those of a rare prefix by key', () => {
    const few = plansOf(() => readLatestKeys(connection, { prefix: 'k', limit: 10 }))
    expect(few.filter((step) => /^SEARCH k USING INDEX .*\(key>\?/.test(step))).toHaveLength(1)
    const sets = Array.from({ length: 300 }, (_, i) => append(`k${i}`, stampAt(i), 1))
    applyBatch(connection, new KeyTable(connection), [call(...sets)])
    const many = plansOf(() => readLatestKeys(connection, { prefix: 'k', limit: 10 }))
    // Releases of SQLite say it differently: (latest,rowid)<(?,?) or latest<?.
    const range = /everthread_keys_latest \(.*(\(latest,rowid\)<|latest<\?)/
    expect(many.some((step) => range.test(step))).toBe(true)
    for (const plans of [few, many]) {
      expect(plans.filter((step) => /SCAN everthread|TEMP B-TREE/.test(step))).toEqual([])
      const probes = plans.filter((step) => step.startsWith('SEARCH everthread_items'))
      expect(probes).toHaveLength(3)
      const own = /\(key_id=\? AND item>\? AND item<\?\)$/
      for (const step of probes)
        if (!own.test(step)) expect(step).toMatch(/everthread_items_moved \(key_id=\?\)$/)
    }
  })

  test.each([
    ['a', 'a'],
    ['a:b', 'a:c'],
    ['é😀', 'éé'],
  ])('the latest keys of a tenant (%s) are found without those of %s', (own, others) => {
    const [mine, theirs] = [own, others].map((name) => `chat/${name.length}:${name}:`)
    const sets = [mine, `${theirs}x`].flatMap((prefix) =>
      Array.from({ length: 300 }, (_, i) => append(`${prefix}${own}${i}`, stampAt(i), 1)),
    )
    applyBatch(connection, new KeyTable(connection), [call(...sets)])
    const plans = plansOf(() => {
      const { keys } = readLatestKeys(connection, { prefix: mine!, limit: 10 })
      expect(keys).toHaveLength(10)
      expect(keys.every(({ key }) => key.startsWith(mine!))).toBe(true)
    })
    const range = /everthread_keys_group \(<expr>=\? AND .*latest/
    expect(plans.some((step) => range.test(step))).toBe(true)
    expect(plans.filter((step) => /SCAN everthread|TEMP B-TREE/.test(step))).toEqual([])
  })

  test('a digest and a scan of a recent range go through the keys touched since', () => {
    applyBatch(connection, new KeyTable(connection), [call(append('recent', stampAt(300_000), 1))])
    const range = { ...WHOLE_RANGE, from: stampAt(1) }
    const ids = readKeyIds(connection, range, 0).ids
    const keys = plansOf(() => readKeyIds(connection, range, 0))
    for (const step of keys.filter((text) => text.includes('everthread_keys'))) {
      expect(step).toMatch(/^SEARCH .*everthread_keys_touched/)
    }
    const old = plansOf(() => readKeyIds(connection, WHOLE_RANGE, 0))
    const byId = 'SEARCH everthread_keys USING INTEGER PRIMARY KEY'
    expect(old.some((step) => step.startsWith(byId))).toBe(true)
    const buckets = bucketsOf(range, 16)
    const steps = plansOf(() => {
      addDigests(connection, range, buckets, ids)
      keysWithRows(connection, range, ids)
      readScanPage(connection, range, ids, SCAN_START)
    })
    // Whether there are rows of a kind at all is asked of its partial index, which has nothing else.
    const kinds =
      /^SCAN everthread_items USING (COVERING )?INDEX everthread_items_(moved|edited|appended|removed)$/
    const tables = steps.filter(
      (step) => /^(SEARCH|SCAN) (everthread|[ik]\b)/.test(step) && !kinds.test(step),
    )
    expect(tables.length).toBeGreaterThan(5)
    for (const step of tables) {
      expect(step).toMatch(/^SEARCH .*(INDEX .*\(key_id=\? AND |INTEGER PRIMARY KEY \(rowid=\?\))/)
    }
  })

  test('what a clear does not cover is found by index', () => {
    applyBatch(connection, new KeyTable(connection), [call(append('k', stampAt(200_000), 1))])
    const plans = plansOf(() =>
      applyBatch(connection, new KeyTable(connection), [call(clear('k', stampAt(100_000)))]),
    )
    expect(plans.filter((step) => /SCAN/.test(step) && !META.test(step))).toEqual([])
  })

  test('an append of an own id writes one row and one index entry', () => {
    const indexes = connection
      .all<{ sql: string | null }>(
        "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'everthread_items'",
      )
      .map(({ sql }) => sql)
    // The one without SQL is that of UNIQUE (key_id, item).
    expect(indexes.filter((sql) => sql === null)).toHaveLength(1)
    for (const sql of indexes) if (sql !== null) expect(sql).toMatch(/WHERE/)
  })
})
