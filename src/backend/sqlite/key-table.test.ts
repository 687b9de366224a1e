import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Applied } from '../../core/decide.ts'
import type { Operation } from '../../core/operation.ts'
import { append, clear, stampAt } from '../../testing/backend/operations.ts'
import { loadSqliteDriver } from './driver.ts'
import { SqliteEngine } from './engine.ts'
import { resolveSqliteOptions } from './options.ts'

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

function apply(engine: SqliteEngine, ...operations: Operation[]): readonly Applied[] {
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
  expect(one.countItems('k').count).toBe(0)
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
  expect(engine.countItems('k').count).toBe(2)
})
