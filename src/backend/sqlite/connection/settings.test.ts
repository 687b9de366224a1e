import { chmodSync, copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Logger } from '../../../core/logger.ts'
import { silentLogger } from '../../../core/logger.ts'
import { nodeEnv } from '../../../core/node-env.ts'
import { append, set, stampAt } from '../../../testing/backend/operations.ts'
import { rejects } from '../../../testing/backend/context.ts'
import { SqliteBackend } from '../backend.ts'
import { isOutdated, openConnection, readSettings } from './open-connection.ts'
import { loadSqliteDriver, type SqliteDatabase, type SqliteDriver } from './driver.ts'
import { resolveSqliteOptions } from './options.ts'

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-sqlite-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function connected(path: string, logger: Logger = silentLogger): Promise<SqliteBackend> {
  const backend = new SqliteBackend({ path }, nodeEnv({ logger }))
  await backend.connect()
  onTestFinished(async () => await backend.disconnect())
  return backend
}

/** The bare library on the same file. */
async function raw(path: string): Promise<SqliteDatabase> {
  const driver = await loadSqliteDriver()
  const database = driver.open(path)
  onTestFinished(() => void database.close())
  return database
}

test('a file is durable: WAL and synchronous=FULL are set and read back', async () => {
  const backend = await connected(join(temporary(), 'a.db'))
  expect(backend.getDurability()).toEqual({
    durable: true,
    reasons: ['journal_mode=wal', 'synchronous=full'],
  })
})

test('a database in memory says that it is not durable', async () => {
  const backend = await connected(':memory:')
  expect(backend.getDurability().durable).toBe(false)
})

test('durability is what was read back, not what was set', async () => {
  const path = join(temporary(), 'a.db')
  const connection = openConnection(await loadSqliteDriver(), resolveSqliteOptions({ path }))
  onTestFinished(() => connection.close())
  connection.exec('PRAGMA synchronous = NORMAL')
  expect(readSettings(connection, path).durability).toEqual({
    durable: false,
    reasons: ['journal_mode=wal', 'synchronous=normal'],
  })
})

test('a new file is readable by its owner only, and so are the directories made for it', async () => {
  const path = join(temporary(), 'one', 'two', 'a.db')
  const backend = await connected(path)
  await backend.set('k', 1)
  for (const suffix of ['', '-wal', '-shm']) {
    expect(statSync(path + suffix).mode & 0o777, suffix).toBe(0o600)
  }
  expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
  expect(statSync(join(path, '..', '..')).mode & 0o777).toBe(0o700)
})

test('an existing file keeps its mode and its other tables', async () => {
  const path = join(temporary(), 'a.db')
  const database = await raw(path)
  database.exec('CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)')
  chmodSync(path, 0o640)
  const backend = await connected(path)
  await backend.set('k', 1)
  expect(statSync(path).mode & 0o777).toBe(0o640)
  expect(database.prepare('SELECT x FROM theirs').get()).toMatchObject({ x: 1 })
})

test('a newer schema is refused and left as it is', async () => {
  const path = join(temporary(), 'a.db')
  const backend = await connected(path)
  await backend.set('k', 1)
  const database = await raw(path)
  database.exec('UPDATE everthread_schema SET version = 99')
  await rejects(new SqliteBackend({ path }).connect(), 'UNSUPPORTED')
  expect(database.prepare('SELECT version FROM everthread_schema').get()).toMatchObject({
    version: 99,
  })
})

test('a file that is no database is refused for good and left as it is', async () => {
  const path = join(temporary(), 'a.db')
  writeFileSync(path, 'x'.repeat(8192))
  const connecting = new SqliteBackend({ path }).connect()
  await expect(connecting).rejects.toMatchObject({ code: 'CONNECTION', permanent: true })
  await expect(connecting).rejects.toThrow(`${path}: file is not a database`)
  expect(statSync(path).size).toBe(8192)
})

test('a path that cannot be opened is a CONNECTION error that names it', async () => {
  const path = join(temporary(), 'file', 'a.db')
  writeFileSync(join(path, '..'), '')
  const backend = new SqliteBackend({ path })
  await expect(backend.connect()).rejects.toThrow(/cannot open the SQLite file.*file/)
  await rejects(backend.connect(), 'CONNECTION')
  expect(backend.isConnected()).toBe(false)
  await rejects(backend.get('k'), 'CLOSED')
})

test('a lock that another holds is waited for without stopping this process', async () => {
  const path = join(temporary(), 'a.db')
  const backend = await connected(path)
  const other = await raw(path)
  other.exec('BEGIN IMMEDIATE')
  let done = false
  const write = backend.set('k', 1).then(() => (done = true))
  // Timers run meanwhile: the wait is not inside the library.
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(done).toBe(false)
  expect(await backend.get('k')).toBeUndefined()
  other.exec('COMMIT')
  await write
  expect(await backend.get('k')).toBe(1)
})

test('a lock that is held too long is UNAVAILABLE, and nothing was done', async () => {
  const path = join(temporary(), 'a.db')
  await connected(path)
  const other = await raw(path)
  const backend = new SqliteBackend({ path, busyTimeoutMs: 40 })
  await backend.connect()
  onTestFinished(async () => await backend.disconnect())
  other.exec('BEGIN IMMEDIATE')
  await expect(backend.set('k', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  await expect(backend.trust('x')).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
  const patient = new SqliteBackend({ path, busyTimeoutMs: 60_000 })
  await patient.connect()
  onTestFinished(async () => await patient.disconnect())
  const hurried = patient.removeHints([], { timeoutMs: 5 })
  await expect(hurried).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none' })
  other.exec('COMMIT')
  expect(await backend.get('k')).toBeUndefined()
})

test('two backends on one file share its identity and see what the other writes', async () => {
  const path = join(temporary(), 'a.db')
  const [one, two] = await Promise.all([connected(path), connected(path)])
  expect((await one.readState('w')).identity).toBe((await two.readState('w')).identity)
  const calls = Array.from({ length: 200 }, async (_, i) => {
    const operation = append('k', stampAt(i), i % 2, `id ${i >> 1}`)
    const backend = i % 2 === 0 ? one : two
    const { applied } = await backend.apply([operation], { decide: true, unique: true })
    return applied[0]!.outcome
  })
  const outcomes = await Promise.all(calls)
  // Both wanted each id, with different contents.
  expect(outcomes.filter((outcome) => outcome === 'applied')).toHaveLength(100)
  expect(outcomes.filter((outcome) => outcome === 'conflict')).toHaveLength(100)
  expect((await one.countItems('k')).count).toBe(100)
  await one.delete('k')
  expect(await two.getRange('k', 0, 10)).toEqual([])
})

test('a statement that fails takes its batch back and leaves the connection usable', async () => {
  const path = join(temporary(), 'a.db')
  const backend = await connected(path)
  await backend.set('k', 1)
  const database = await raw(path)
  database.exec(`CREATE TRIGGER refuse BEFORE INSERT ON everthread_items
    WHEN NEW.appended LIKE '%refuse%' BEGIN SELECT RAISE(ABORT, 'refused'); END`)
  const calls = ['a', 'refuse', 'b'].map(
    async (text, i) => await backend.apply([append('k', stampAt(i), text)], { decide: true }),
  )
  const results = await Promise.allSettled(calls)
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  await expect(calls[1]).rejects.toMatchObject({ code: 'REJECTED', effect: 'none' })
  expect(await backend.getRange('k', 0, 5)).toEqual(['a', 'b'])
})

test('an older library is reported once at connect, the fixed one is not', async () => {
  expect(isOutdated('3.51.2')).toBe(true)
  expect(isOutdated('3.9.0')).toBe(true)
  expect(isOutdated('3.51.3')).toBe(false)
  expect(isOutdated('3.53.0')).toBe(false)
  expect(isOutdated('4.0.0')).toBe(false)
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_: object, text: string) => void warnings.push(text) }
  await connected(':memory:', logger)
  const driver = await loadSqliteDriver()
  const { version } = openVersion(driver)
  expect(warnings).toHaveLength(isOutdated(version) ? 1 : 0)
})

test('options need one path, by path or by url', () => {
  const defaults = { busyTimeoutMs: 5_000, timeoutMs: 10_000, threads: true, search: false }
  expect(resolveSqliteOptions({ path: 'a.db' })).toEqual({ path: 'a.db', ...defaults })
  expect(resolveSqliteOptions({ url: 'sqlite:./a.db' })).toEqual({ path: './a.db', ...defaults })
  for (const wrong of [
    {},
    { path: '' },
    { path: 'a\0b' },
    { path: 'a.db', url: 'sqlite:a.db' },
    { url: 'memory:' },
    { path: 'a.db', busyTimeoutMs: -1 },
    { path: 'a.db', timeoutMs: 0 },
  ]) {
    expect(() => resolveSqliteOptions(wrong), JSON.stringify(wrong)).toThrow(/must|needs|give/)
  }
})

test('opening an existing file sets nothing back', async () => {
  const path = join(temporary(), 'a.db')
  const first = await connected(path)
  await first.apply([set('k', stampAt(1), 'kept')])
  const { identity } = await first.readState('w')
  await first.disconnect()
  const second = await connected(path)
  expect((await second.readState('w')).identity).toBe(identity)
  expect(await second.get('k')).toBe('kept')
})

function openVersion(driver: SqliteDriver): { version: string } {
  const database = driver.open(':memory:')
  try {
    return database.prepare('SELECT sqlite_version() AS version').get() as { version: string }
  } finally {
    database.close()
  }
}

test('after disconnect a copy of the file alone has everything', async () => {
  const directory = temporary()
  const backend = await connected(join(directory, 'a.db'))
  await backend.set('k', 'value')
  await backend.disconnect()
  copyFileSync(join(directory, 'a.db'), join(directory, 'copy.db'))
  const copy = await connected(join(directory, 'copy.db'))
  expect(await copy.get('k')).toBe('value')
})
