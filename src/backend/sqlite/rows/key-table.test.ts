import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Verdict } from '../../../core/decide.ts'
import type { Operation } from '../../../core/operation.ts'
import { append, clear, stampAt } from '../../../testing/backend/operations.ts'
import { loadSqliteDriver } from '../connection/driver.ts'
import { SqliteEngine } from '../engine.ts'
import { resolveSqliteOptions } from '../connection/options.ts'
import { stampBytes, stampOf } from './stamp-bytes.ts'

let path: string

beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  path = join(directory, 'chat.db')
})

async function open(): Promise<SqliteEngine> {
  const engine = new SqliteEngine(await loadSqliteDriver(), resolveSqliteOptions({ path }), 'id')
  onTestFinished(() => engine.close())
  return engine
}

function apply(engine: SqliteEngine, ...operations: Operation[]): readonly Verdict[] {
  const [result] = engine.run([{ operations, decide: true, unique: false }])
  return result!.applied
}

test('a clear through another connection is seen by the next save', async () => {
  const [one, other] = [await open(), await open()]
  expect(apply(one, append('k', stampAt(1), 1))).toEqual([{ outcome: 'applied' }])
  expect(apply(other, clear('k', stampAt(5)))).toMatchObject([{ outcome: 'applied' }])
  expect(apply(one, append('k', stampAt(3), 3))).toMatchObject([
    { outcome: 'behind', stamp: stampAt(5) },
  ])
  expect(one.call('countItems', 'k').count).toBe(0)
})

test('what a batch that was undone had noted of its keys is forgotten', async () => {
  const engine = await open()
  apply(engine, append('k', stampAt(1), 1))
  const poison = append('k', stampAt(6), 6, 'id\0')
  expect(() =>
    engine.run([
      { operations: [clear('k', stampAt(5))], decide: false, unique: false },
      { operations: [poison], decide: false, unique: false },
    ]),
  ).toThrow('NUL')
  expect(apply(engine, append('k', stampAt(3), 3))).toEqual([{ outcome: 'applied' }])
  expect(engine.call('countItems', 'k').count).toBe(2)
})

test('a file whose keys noted their latest item a minute ago is brought up to date', async () => {
  const old = await open()
  apply(old, append('quiet', stampAt(0), 1), append('gone', stampAt(1), 1))
  apply(old, append('quiet', stampAt(50_000), 2), append('named', stampAt(3), 3, 'an id'))
  apply(old, clear('gone', stampAt(5)))
  const driver = await loadSqliteDriver()
  const database = driver.open(path)
  database
    .prepare("UPDATE everthread_keys SET latest = ? WHERE key IN ('quiet', 'named')")
    .run(stampBytes(stampAt(0)))
  for (const column of ['edited_of', 'removed_of', 'removed']) {
    database.exec(`DROP INDEX everthread_items_${column}`)
  }
  database.exec('DROP INDEX everthread_keys_group')
  for (const column of ['edited_of', 'removed_of', 'removed_digest']) {
    database.exec(`ALTER TABLE everthread_items DROP COLUMN ${column}`)
  }
  database.exec('UPDATE everthread_schema SET version = 2')
  database.close()
  await open()
  const read = driver.open(path)
  const rows = read
    .prepare('SELECT key, latest FROM everthread_keys ORDER BY key')
    .all() as readonly { readonly key: string; readonly latest: Uint8Array | null }[]
  read.close()
  const found = rows.map(({ key, latest }) => [key, latest === null ? null : stampOf(latest)])
  expect(found).toEqual([
    ['gone', null],
    ['named', stampAt(3)],
    ['quiet', stampAt(50_000)],
  ])
})
