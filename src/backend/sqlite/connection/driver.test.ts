import { expect, test } from 'vitest'
import {
  loadSqliteDriver,
  withNumberedParameters,
  type SqliteDatabase,
  type SqliteValue,
} from './driver.ts'

/** A library that knows plain parameters only, as `node:sqlite` of Node 22.13 and 24.4 does. */
function plainLibrary(seen: [string, ...SqliteValue[]][]): SqliteDatabase {
  const prepare: SqliteDatabase['prepare'] = (sql) => {
    const record = (...values: readonly SqliteValue[]): void => void seen.push([sql, ...values])
    return {
      run: (...values) => (record(...values), { changes: 0 }),
      get: (...values) => (record(...values), undefined),
      all: (...values) => (record(...values), []),
    }
  }
  return { exec: () => {}, prepare, close: () => {} }
}

test('a library never sees a numbered parameter, and gets each value where its number stands', () => {
  const seen: [string, ...SqliteValue[]][] = []
  const database = withNumberedParameters(plainLibrary(seen))
  const statement = database.prepare('SELECT ?2, ?1, ?12, ?2')
  const values = Array.from({ length: 12 }, (_, i) => i + 1)
  statement.run(...values)
  statement.get(...values)
  statement.all(...values)
  database.prepare('SELECT ?, ?').get('a', null)
  const numbered = ['SELECT ?, ?, ?, ?', 2, 1, 12, 2]
  expect(seen).toEqual([numbered, numbered, numbered, ['SELECT ?, ?', 'a', null]])
})

test('the library of this Node binds by number', async () => {
  const database = (await loadSqliteDriver()).open(':memory:')
  const row = database.prepare('SELECT ?2 AS b, ?1 AS a, ?2 || ?1 AS both').get('a', 'b')
  expect(row).toMatchObject({ a: 'a', b: 'b', both: 'ba' })
  database.close()
})
