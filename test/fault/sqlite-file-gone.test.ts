// Goal: a SQLite file that is removed, or replaced, under a running store is noticed before anything is
// acknowledged that nobody will find, and comes back from the other database and the log. Method: files that
// are moved and removed while stores use them; in threads it is in test/integration/sqlite-threads.test.ts.
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'everthread-gone-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

async function opened(path: string): Promise<SqliteBackend> {
  const backend = new SqliteBackend({ path })
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  return backend
}

/** A whole copy of a file that is in use, by SQLite: nobody else may open it. */
async function copyOf(path: string): Promise<string> {
  const copy = `${path}.copy`
  const database = (await loadSqliteDriver()).open(path)
  database.exec(`VACUUM INTO '${copy}'`)
  database.close()
  return copy
}

/** Calls until the path is open again. */
async function reopened(backend: SqliteBackend): Promise<void> {
  await expect
    .poll(() =>
      backend.readState('w').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
}

async function isSound(path: string): Promise<unknown> {
  const database = (await loadSqliteDriver()).open(path)
  const answer = database.prepare('PRAGMA integrity_check').all()
  database.close()
  return answer
}

const GONE = { code: 'UNAVAILABLE', effect: 'unknown' }

describe('a backend whose file', () => {
  test('was removed acknowledges nothing in it, and begins a new one', async () => {
    const path = join(folder(), 'a.db')
    const backend = await opened(path)
    await backend.apply([append('k', stampAt(1), 'one')])
    const { identity } = await backend.readState('w')
    rmSync(path)
    await expect(backend.apply([append('k', stampAt(2), 'two')])).rejects.toMatchObject({
      ...GONE,
      message: expect.stringMatching(/a\.db was removed while it was open/) as string,
    })
    await reopened(backend)
    expect((await backend.readState('w')).identity).not.toBe(identity)
    await backend.apply([append('k', stampAt(3), 'three')])
    expect(await backend.getRange('k', 0, 9)).toEqual(['three'])
    expect(await isSound(path)).toEqual([{ integrity_check: 'ok' }])
  })

  test('was replaced by an older copy of itself is another database, and not damaged', async () => {
    const path = join(folder(), 'a.db')
    const backend = await opened(path)
    await backend.apply([append('k', stampAt(1), 'one')])
    const copy = await copyOf(path)
    // In the log beside the file, which must not be taken for that of the copy.
    await backend.apply([append('k', stampAt(2), 'two')])
    const { identity } = await backend.readState('w')
    renameSync(copy, path)
    await expect(backend.apply([append('k', stampAt(3), 'three')])).rejects.toMatchObject({
      ...GONE,
      message: expect.stringMatching(/replaced by another one while it was open/) as string,
    })
    await reopened(backend)
    expect((await backend.readState('w')).identity).not.toBe(identity)
    expect(await backend.getRange('k', 0, 9)).toEqual(['one'])
    expect(await isSound(path)).toEqual([{ integrity_check: 'ok' }])
  })

  test('was moved away and a copy put in its place by and by leaves all it had where it is', async () => {
    const path = join(folder(), 'a.db')
    const backend = await opened(path)
    await backend.apply([append('k', stampAt(1), 'one')])
    const copy = await copyOf(path)
    await backend.apply([append('k', stampAt(2), 'two')])
    const { identity } = await backend.readState('w')
    renameSync(path, `${path}.old`)
    await expect(backend.apply([append('k', stampAt(3), 'three')])).rejects.toMatchObject(GONE)
    await reopened(backend)
    renameSync(copy, path)
    await expect(backend.apply([append('k', stampAt(4), 'four')])).rejects.toMatchObject(GONE)
    await reopened(backend)
    expect((await backend.readState('w')).identity).not.toBe(identity)
    await backend.disconnect()
    const old = await opened(`${path}.old`)
    expect(await old.getRange('k', 0, 9)).toEqual(['one', 'two', 'three'])
  })

  test('is moved away with its folder begins a new one in a new folder', async () => {
    const path = join(folder(), 'inner', 'a.db')
    const backend = await opened(path)
    await backend.apply([append('k', stampAt(1), 'one')])
    renameSync(join(path, '..'), join(path, '..', '..', 'away'))
    await expect(backend.apply([append('k', stampAt(2), 'two')])).rejects.toMatchObject(GONE)
    await reopened(backend)
    expect(existsSync(path)).toBe(true)
    expect(await backend.getRange('k', 0, 9)).toEqual([])
  })

  test('is gone may be disconnected at once, and connected again', async () => {
    const path = join(folder(), 'a.db')
    const backend = await opened(path)
    rmSync(path)
    await expect(backend.apply([append('k', stampAt(1), 'one')])).rejects.toMatchObject(GONE)
    await backend.disconnect()
    await expect(backend.readState('w')).rejects.toMatchObject({ code: 'CLOSED' })
    await backend.connect()
    await backend.apply([append('k', stampAt(2), 'two')])
    expect(await backend.getRange('k', 0, 9)).toEqual(['two'])
  })
})

describe.each(['primary', 'backup'] as const)('a store whose %s', (place) => {
  interface Opened {
    readonly history: ChatHistory
    readonly path: string
  }

  async function store(): Promise<Opened> {
    const made = folder()
    const pathOf = (name: string): string => join(made, `${name}.db`)
    const history = await openChatHistory({
      primary: { type: 'sqlite', path: pathOf('primary') },
      backup: { type: 'sqlite', path: pathOf('backup') },
      wal: `file:${join(made, 'wal')}`,
    })
    onTestFinished(() => history.close())
    for (let i = 0; i < 5; i++) await save(history, `before ${i}`)
    await history.flush()
    return { history, path: pathOf(place) }
  }

  const save = async (history: ChatHistory, content: string): Promise<void> => {
    await history.saveMessage('c', { role: 'user', content })
  }
  const contents = async (history: ChatHistory): Promise<readonly unknown[]> =>
    (await history.getHistory('c')).messages.map(({ content }) => content)

  test.each(['removed', 'replaced'])('is %s keeps all that it acknowledged', async (how) => {
    const { history, path } = await store()
    const copy = how === 'replaced' ? await copyOf(path) : undefined
    for (let i = 0; i < 5; i++) await save(history, `between ${i}`)
    const all = await contents(history)
    if (copy === undefined) rmSync(path)
    else renameSync(copy, path)
    const changed: unknown[] = []
    history.on('replica-changed', (event) => void changed.push(event))
    for (let i = 0; i < 5; i++) await save(history, `after ${i}`)
    const wanted = [...all, ...Array.from({ length: 5 }, (_, i) => `after ${i}`)]
    expect(await contents(history)).toEqual(wanted)
    const seen = expect.objectContaining({ place }) as unknown
    await expect.poll(() => changed, { timeout: 20_000 }).toContainEqual(seen)
    const isWhole = async (): Promise<boolean> => {
      await history.reconcile().catch(() => undefined)
      return history.status().trusted
    }
    await expect.poll(isWhole, { timeout: 20_000 }).toBe(true)
    await history.close()
    const backend = await opened(path)
    const { items } = await backend.readItems({
      key: await onlyKey(backend),
      limit: 50,
      order: 'oldest',
    })
    expect(
      items.map(({ appended }) => (JSON.parse(appended!) as { content: string }).content),
    ).toEqual(wanted)
    expect(await isSound(path)).toEqual([{ integrity_check: 'ok' }])
  })
})

async function onlyKey(backend: SqliteBackend): Promise<string> {
  return (await backend.listLatest({ prefix: '', limit: 1 })).keys[0]!.key
}
