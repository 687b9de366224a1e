// Goal: a row that something else has changed is served from the other database and mended, or named; it never
// makes a conversation empty, a raw error, or a message that nobody wrote. Method: SQLite files and values that
// are overwritten in them; and a database in memory that answers with garbage in each field.
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  isStorageError,
  openChatHistory,
  StrategicStorageManager,
  StrategyFactory,
  type ChatHistory,
} from '../../src/index.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import type { JsonText } from '../../src/core/json.ts'
import { damageSqlite } from '../../simulator/damage-sqlite.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'

const KEY = conversationKey('', 'c')
const GARBAGE = ['{"role":"us', 'null', '[]', '"text"', '7', '{}', '', '{"role":7}']

interface Store {
  readonly history: ChatHistory
  readonly paths: { readonly primary: string; readonly backup: string }
}

async function opened(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-damaged-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const paths = { primary: join(folder, 'primary.db'), backup: join(folder, 'backup.db') }
  const history = await openChatHistory({
    primary: { type: 'sqlite', path: paths.primary },
    backup: { type: 'sqlite', path: paths.backup },
    wal: `file:${join(folder, 'wal')}`,
  })
  onTestFinished(() => history.close())
  for (const id of ['m1', 'm2', 'm3']) {
    await history.saveMessage('c', { id, role: 'user', content: `content of ${id}` })
  }
  await history.saveMessage('other', { role: 'user', content: 'elsewhere' })
  await history.flush()
  return { history, paths }
}

const WHOLE = ['content of m1', 'content of m2', 'content of m3']

async function contents(history: ChatHistory): Promise<readonly unknown[]> {
  return (await history.getHistory('c')).messages.map(({ content }) => content)
}

describe('a damaged value', () => {
  test.each(GARBAGE)('%j in the primary is served from the backup, and mended', async (text) => {
    const { history, paths } = await opened()
    const seen: unknown[] = []
    history.on('damaged', (event) => void seen.push(event))
    await damageSqlite(paths.primary, { key: KEY, part: 'appended', id: 'm2' }, text)
    expect(await contents(history)).toEqual(WHOLE)
    expect(seen).toEqual([{ place: 'primary', key: KEY, repaired: true }])
    expect(history.status().places.primary.damaged).toBe(1)
    // The row itself is whole again.
    expect(await contents(history)).toEqual(WHOLE)
    expect(seen).toHaveLength(1)
    expect((await history.verify({ deep: true })).damaged).toBe(0)
  })

  test('is found by every call that reads it', async () => {
    const { history, paths } = await opened()
    await damageSqlite(paths.primary, { key: KEY, part: 'appended', id: 'm2' })
    expect((await history.getMessage('c', 'm2'))?.content).toBe('content of m2')
    await damageSqlite(paths.primary, { key: KEY, part: 'appended', id: 'm2' })
    await history.updateMessage('c', 'm2', { role: 'user', content: 'edited' })
    expect((await history.getMessage('c', 'm2'))?.content).toBe('edited')
    await damageSqlite(paths.primary, { key: KEY, part: 'appended', id: 'm1' })
    const all: unknown[] = []
    for await (const { content } of history.messages('c')) all.push(content)
    expect(all).toEqual(['content of m1', 'edited', 'content of m3'])
  })

  test('in both databases is CORRUPT with its place, conversation and id, for it alone', async () => {
    const { history, paths } = await opened()
    for (const path of [paths.primary, paths.backup]) {
      await damageSqlite(path, { key: KEY, part: 'appended', id: 'm2' })
    }
    const read = history.getHistory('c')
    await expect(read).rejects.toMatchObject({
      code: 'CORRUPT',
      effect: 'none',
      place: 'primary',
      message: expect.stringMatching(/m2.*damaged/) as string,
    })
    await expect(read).rejects.toThrow(JSON.stringify(KEY))
    expect((await history.getMessage('c', 'm1'))?.content).toBe('content of m1')
    expect((await history.getHistory('other')).messages).toHaveLength(1)
    expect(history.status().places.primary.healthy).toBe(true)
  })

  test('of a key is served and mended as well', async () => {
    const { history, paths } = await opened()
    await history.store.set('settings', { theme: 'dark' })
    await history.flush()
    await damageSqlite(paths.primary, { key: 'settings', part: 'register' })
    expect(await history.store.get('settings')).toEqual({ theme: 'dark' })
    expect((await history.verify({ deep: true })).damaged).toBe(0)
  })
})

test.each(['both', 'primary', 'no backup'])(
  'a damaged value that was deleted meanwhile is absent if all databases say so: %s',
  async (who) => {
    const primary = new DurableMemoryBackend()
    const backup = faultyBackend(new DurableMemoryBackend())
    const store = new StrategicStorageManager(
      who === 'no backup' ? { primary } : { primary, backup, reconcile: false },
      StrategyFactory.createReadStrategy(),
      StrategyFactory.createWriteStrategy(),
      StrategyFactory.createHealthManager(),
      StrategyFactory.createWALManager('in-memory'),
    )
    onTestFinished(() => store.disconnect())
    await store.connect()
    await store.set('k', 'value')
    await store.flushWAL()
    const read = primary.readRegister.bind(primary)
    let isDeleting = true
    primary.readRegister = async (key, options) => {
      const found = await read(key, options)
      if (!isDeleting) return found
      isDeleting = false
      await store.delete('k')
      await store.flushWAL()
      if (who === 'primary') backup.setMode('refused')
      return { ...found, register: { ...found.register!, value: '{"cut' as JsonText } }
    }
    const value = store.get('k')
    if (who === 'primary') await expect(value).rejects.toMatchObject({ code: 'CORRUPT' })
    else expect(await value).toBeUndefined()
  },
)

describe('a database that answers with garbage', () => {
  const values: readonly unknown[] = [undefined, null, 7, '', 'garbage', [], {}, NaN]

  /** Sets one field after the other in everything that a read answers. */
  function answering(
    inner: ReplicaBackend,
    spoil: (method: string, answer: Record<string, unknown>) => void,
  ): ReplicaBackend {
    return new Proxy(inner, {
      get(target, name: string) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        const method = (member as (...args: unknown[]) => unknown).bind(target)
        if (!/^(read|count|list)/.test(name) || name === 'readState') return method
        return async (...args: unknown[]) => {
          const answer = structuredClone(await method(...args)) as Record<string, unknown>
          spoil(name, answer)
          return answer
        }
      },
    })
  }

  const fields: readonly (readonly [method: string, path: readonly string[]])[] = [
    ['readItems', ['items']],
    ['readItems', ['deletedThrough']],
    ...['id', 'position', 'appendedAt', 'appended', 'editedAt', 'edited'].flatMap(
      (field) =>
        [
          ['readItems', ['items', '0', field]],
          ['readItemsById', ['items', '0', field]],
        ] as const,
    ),
    ['readItems', ['items', '0']],
    ['readRegister', ['register']],
    ['readRegister', ['register', 'stamp']],
    ['readRegister', ['register', 'value']],
    ['countItems', ['count']],
    ['listKeys', ['keys']],
    ['listKeys', ['keys', '0']],
    ['listLatest', ['keys']],
    ['listLatest', ['keys', '0', 'key']],
    ['listLatest', ['keys', '0', 'latest']],
    ['readHints', ['hints']],
  ]

  test.each(fields)('%s %j rejects with a StorageError or tells the truth', async (...field) => {
    const [method, path] = field
    for (const value of values) {
      const primary = answering(new DurableMemoryBackend(), (name, answer) => {
        if (name !== method) return
        let at: Record<string, unknown> | undefined = answer
        for (const part of path.slice(0, -1)) at = at?.[part] as Record<string, unknown> | undefined
        if (at !== undefined && at !== null && path.at(-1)! in at) at[path.at(-1)!] = value
      })
      const backup = new DurableMemoryBackend()
      const history = await openChatHistory({ primary, backup, wal: 'memory:' })
      try {
        await history.saveMessage('c', { id: 'm1', role: 'user', content: 'one' })
        await history.updateMessage('c', 'm1', { role: 'user', content: 'two' }).catch(expectOurs)
        await history.store.set('k', 'value')
        await history.flush().catch(expectOurs)
        const calls: (() => Promise<unknown>)[] = [
          () => history.getHistory('c'),
          () => history.getMessage('c', 'm1'),
          () => history.countMessages('c'),
          () => history.listConversations(),
          () => history.store.get('k'),
          () => history.store.list(''),
          () => history.store.exists('k'),
          () => history.saveMessage('c', { id: 'm1', role: 'user', content: 'one' }),
          () => history.deleteMessage('c', 'm1'),
          () => history.clearHistory('c'),
        ]
        for (const call of calls) await call().catch(expectOurs)
      } finally {
        await history.close()
      }
    }
  })

  function expectOurs(error: unknown): void {
    if (!isStorageError(error)) throw new Error('not a StorageError', { cause: error })
  }
})
