// Goal: whoever else opens, reads, copies and closes a SQLite file, a living store keeps its locks and
// its files, and what it acknowledged is there after kill -9, once and in a sound file.
// Method: real processes of the compiled package; its neighbours are other stores and the `sqlite3`
// command.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { BuiltCli } from '../integration/cli-process.ts'
import { hasProgram } from '../support/has-program.ts'
import { ALL_HELD, locksOf } from '../support/sqlite-locks.ts'
import { placeContents } from './support/place-contents.ts'
import { SqliteStore, type SqliteStorePlaces } from './support/sqlite-store.ts'

const ON_LINUX = process.platform === 'linux'
const TEXT = { encoding: 'utf8' } as const

const built = new BuiltCli()

function makePlaces(): SqliteStorePlaces {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-neighbours-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return {
    primary: join(directory, 'primary.db'),
    backup: join(directory, 'backup.db'),
    wal: join(directory, 'wal'),
  }
}

/** A log of its own: nothing of the first store's comes back from it. */
function withOtherLog(places: SqliteStorePlaces): SqliteStorePlaces {
  return { ...places, wal: `${places.wal}-other` }
}

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, TEXT)
  expect({ program, status, stderr }).toEqual({ program, status: 0, stderr: '' })
  return stdout.trim()
}

/** Both databases alone: sound, and with exactly these messages in this order. */
async function holds(places: SqliteStorePlaces, contents: readonly string[]): Promise<void> {
  const driver = await loadSqliteDriver()
  for (const path of [places.primary, places.backup]) {
    const database = driver.open(path)
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    database.close()
    const backend = new SqliteBackend({ path })
    await backend.connect()
    const items = await placeContents(backend, 'chat')
    await backend.disconnect()
    const found = items.map((item) => (JSON.parse(item.appended!) as { content: string }).content)
    expect(found, path).toEqual(contents)
  }
}

/**
 * A saves and flushes, the neighbour comes and goes, A saves and flushes again and is killed: its log
 * has nothing left to give, so the files themselves must have all of it.
 */
async function livesBeside(
  neighbour: (places: SqliteStorePlaces, a: SqliteStore) => void | Promise<void>,
): Promise<void> {
  const places = makePlaces()
  const a = await SqliteStore.start(built, places)
  const acknowledged = await a.save('chat', 0, 20)
  await a.flush()
  await neighbour(places, a)
  acknowledged.push(...(await a.save('chat', 20, 50)))
  await a.flush()
  if (ON_LINUX) expectLocked(a, places)
  await a.kill()
  await holds(places, acknowledged)
}

function expectLocked({ pid }: SqliteStore, { primary, backup }: SqliteStorePlaces): void {
  for (const path of [primary, backup]) {
    expect(locksOf(pid, path)).toEqual(ALL_HELD)
  }
}

test('a store keeps its locks while it lives', async () => {
  await livesBeside((places, a) => {
    if (ON_LINUX) expectLocked(a, places)
  })
})

test('another store opens the files, reads and closes', async () => {
  await livesBeside(async (places) => {
    const b = await SqliteStore.start(built, withOtherLog(places))
    expect(await b.read('chat')).toHaveLength(20)
    await b.close()
  })
})

test('another store opens and closes six times while the first one saves', async () => {
  const places = makePlaces()
  const a = await SqliteStore.start(built, places)
  const saved = a.save('chat', 0, 300)
  for (let time = 0; time < 6; time++) {
    const b = await SqliteStore.start(built, withOtherLog(places))
    await b.read('chat')
    await b.close()
  }
  const acknowledged = await saved
  await a.flush()
  if (ON_LINUX) expectLocked(a, places)
  await a.kill()
  await holds(places, acknowledged)
})

test('the second store of one process closes, and the first one is not harmed', async () => {
  const places = makePlaces()
  const [one, two] = [
    new SqliteBackend({ path: places.primary }),
    new SqliteBackend({ path: places.primary }),
  ]
  onTestFinished(async () => await one.disconnect())
  await one.connect()
  await two.connect()
  await two.disconnect()
  if (ON_LINUX) expect(locksOf(process.pid, places.primary)).toEqual(ALL_HELD)
})

describe.runIf(hasProgram('sqlite3'))('the sqlite3 command, most often an older SQLite,', () => {
  test('reads the files and closes them', async () => {
    await livesBeside((places) => each(places, (path) => expect(countIn(path)).toBe('20')))
  })

  test('dumps the files and makes copies of them', async () => {
    await livesBeside((places) =>
      each(places, (path) => {
        expect(run('sqlite3', path, '.dump')).toContain('COMMIT;')
        run('sqlite3', path, `VACUUM INTO '${path}.copy'`)
        expect(run('sqlite3', `${path}.copy`, 'PRAGMA integrity_check')).toBe('ok')
        expect(countIn(`${path}.copy`)).toBe('20')
      }),
    )
  })

  test('cannot take the log away from a store that lives', async () => {
    await livesBeside((places) =>
      each(places, (path) => {
        run('sqlite3', path, 'PRAGMA wal_checkpoint(TRUNCATE)')
        const { stderr } = spawnSync('sqlite3', [path, 'PRAGMA journal_mode = DELETE'], TEXT)
        expect(stderr).toContain('database is locked')
      }),
    )
  })
})

function each({ primary, backup }: SqliteStorePlaces, work: (path: string) => void): void {
  for (const path of [primary, backup]) work(path)
}

function countIn(path: string): string {
  return run('sqlite3', path, 'SELECT count(*) FROM everthread_items')
}
