// Goal: a search finds every acknowledged visible message that has the words, wherever it is by now, and nothing
// that is not there any more; and a store that has no index says so.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { StorageError } from '../../src/core/errors.ts'
import type { JsonText } from '../../src/core/json.ts'
import { stampFloor, type Stamp } from '../../src/core/stamp.ts'
import {
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
  type NewMessage,
} from '../../src/index.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { filesWith } from '../support/files-with.ts'

const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
} as const

/** Under load. */
const SOON = { timeout: 20_000 } as const

interface Rig {
  readonly directory: string
  readonly path: (name: string) => string
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly open: (options?: ChatHistoryOptions) => Promise<ChatHistory>
}

/** Two SQLite files with an index each, and a log in files; each way to a database can be cut. */
async function rig({
  primary = true,
  backup = true,
}: { readonly primary?: boolean; readonly backup?: boolean } = {}): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-search-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const path = (name: string): string => join(directory, `${name}.db`)
  const places = {
    primary: faultyBackend(new SqliteBackend({ path: path('primary'), search: primary })),
    backup: faultyBackend(new SqliteBackend({ path: path('backup'), search: backup })),
  }
  return {
    directory,
    path,
    ...places,
    open: async (options = {}) => {
      const history = await openChatHistory({
        ...places,
        wal: `file:${join(directory, 'wal')}`,
        health: HEALTH,
        drainTimeout: 100,
        logger: false,
        ...options,
      })
      onTestFinished(() => history.close())
      return history
    },
  }
}

function user(content: string): NewMessage {
  return { role: 'user', content }
}

async function found(history: ChatHistory, text: string, options: object = {}): Promise<unknown[]> {
  const { hits } = await history.search({ text, ...options })
  return hits.map(({ message }) => message?.content)
}

test('words, phrases and what must not be there; latest first, with the piece around it', async () => {
  const history = await (await rig()).open()
  await history.saveMessages('a', [
    user('The quick brown fox jumps'),
    { role: 'assistant', content: [{ type: 'text', text: 'Brown, quick: 東京都の天気' }] },
    { role: 'tool', content: [{ type: 'tool-result', output: { deep: ['quick result'] } }] },
    user('-quick "unclosed'),
  ])
  expect(await found(history, 'quick brown')).toHaveLength(2)
  expect(await found(history, '"quick brown"')).toEqual(['The quick brown fox jumps'])
  expect(await found(history, 'brown -fox')).toHaveLength(1)
  expect(await found(history, 'quick -"quick brown" -unclosed -result')).toHaveLength(1)
  expect(await found(history, '京都')).toHaveLength(1)
  expect(await found(history, '東京都')).toHaveLength(1)
  expect(await found(history, '都東')).toEqual([])
  expect(await found(history, 'RESULT')).toHaveLength(1)
  expect(await found(history, '"unclosed')).toHaveLength(1)
  const { hits } = await history.search({ text: 'fox' })
  const [hit] = hits
  expect(hit).toMatchObject({ conversationId: 'a', message: { role: 'user' } })
  expect(hit!.highlights.map(([start, end]) => hit!.excerpt.slice(start, end))).toEqual(['fox'])
})

test('by role, conversation and time, page by page, and never of another tenant', async () => {
  const { open, directory } = await rig()
  const history = await open({ tenant: 'acme' })
  for (let i = 0; i < 25; i++) {
    const role = i % 5 === 0 ? 'assistant' : 'user'
    await history.saveMessage(`c${i % 2}`, { role, content: `common ${i}` })
  }
  const all = Array.from({ length: 25 }, (_, i) => `common ${24 - i}`)
  expect(await found(history, 'common', { limit: 100 })).toEqual(all)
  expect(await found(history, 'common', { role: 'assistant' })).toHaveLength(5)
  expect(await found(history, 'common', { conversationId: 'c1', limit: 100 })).toHaveLength(12)
  const paged: unknown[] = []
  let cursor: string | undefined
  do {
    const page = await history.search({ text: 'common', limit: 7, ...(cursor && { cursor }) })
    expect(page.complete).toBe(true)
    paged.push(...page.hits.map(({ message }) => message!.content))
    cursor = page.nextCursor
  } while (cursor !== undefined)
  expect(paged).toEqual(all)
  const hour = (offset: number): string => new Date(Date.now() + offset).toISOString()
  expect(await found(history, 'common', { after: hour(-3_600_000), limit: 1 })).toHaveLength(1)
  expect(await found(history, 'common', { after: hour(3_600_000) })).toEqual([])
  expect(await found(history, 'common', { before: hour(-3_600_000) })).toEqual([])
  await history.close()
  const stranger = await openChatHistory({
    primary: { type: 'sqlite', path: join(directory, 'primary.db') },
    backup: { type: 'sqlite', path: join(directory, 'backup.db') },
    wal: `file:${join(directory, 'wal-2')}`,
    tenant: 'acme2',
  })
  onTestFinished(() => stranger.close())
  expect(await found(stranger, 'common')).toEqual([])
})

test('what is only in the log is found, and what is pending hides what it takes away', async () => {
  const { open, primary, backup } = await rig()
  const history = await open()
  const receipts = await history.saveMessages('a', [
    user('alpha one'),
    user('alpha two'),
    user('alpha'),
  ])
  await history.saveMessage('b', user('alpha b'))
  await history.flush()
  // It can be read, but takes nothing: what follows stays pending for it.
  backup.onCall((operation) => {
    if (operation === 'apply') throw new StorageError('UNAVAILABLE', 'it takes nothing')
  })
  await history.updateMessage('a', receipts[0]!.id, user('beta one'))
  await history.deleteMessage('a', receipts[1]!.id)
  await history.clearHistory('b')
  await history.saveMessage('c', user('alpha late'))
  // Now only the backup answers, which has heard of none of it.
  primary.setMode('refused')
  await expect.poll(() => found(history, 'alpha'), SOON).toEqual(['alpha late', 'alpha'])
  expect(await found(history, 'beta')).toEqual(['beta one'])
  expect((await history.search({ text: 'alpha' })).complete).toBe(false)
  primary.setMode('up')
  backup.onCall(() => {})
})

test('a primary that cannot be searched leaves it to the backup, and takes part in the answer', async () => {
  const { open, backup } = await rig()
  const history = await open({ primary: withoutSearch(new MemoryBackend()) })
  const { id } = await history.saveMessage('a', user('alpha'))
  await history.saveMessage('a', user('alpha again'))
  await history.flush()
  const page = await history.search({ text: 'alpha' })
  expect(page).toMatchObject({ hits: [{}, {}], complete: false })
  backup.setMode('refused')
  await expect.poll(() => history.status().places.backup.healthy, SOON).toBe(false)
  await history.deleteMessage('a', id)
  await expect(history.search({ text: 'alpha' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  backup.setMode('up')
  await expect.poll(() => found(history, 'alpha').catch(() => []), SOON).toEqual(['alpha again'])
})

test('a store without an index says why, and so does one whose only index is out of reach', async () => {
  const { open, directory } = await rig({ primary: false, backup: false })
  const history = await open()
  const refusal = { code: 'UNSUPPORTED', message: expect.stringMatching(/primary.*backup/) }
  await expect(history.search({ text: 'x' })).rejects.toMatchObject(refusal)
  await history.close()
  const key = { id: 'k', secret: randomBytes(32).toString('base64') }
  const primary = faultyBackend(
    new SqliteBackend({ path: join(directory, 'plain.db'), search: true }),
  )
  const locked = await openChatHistory({
    primary,
    backup: { type: 'sqlite', path: join(directory, 'locked.db'), search: true },
    wal: `file:${join(directory, 'wal-2')}`,
    encryption: { keys: [key] },
    health: HEALTH,
    logger: false,
  })
  onTestFinished(() => locked.close())
  await locked.saveMessage('a', user('alpha'))
  expect(await found(locked, 'alpha')).toEqual(['alpha'])
  expect(locked.status().places.backup.search).toMatchObject({
    state: 'none',
    reason: expect.stringContaining('encrypted'),
  })
  primary.setMode('refused')
  await expect(locked.search({ text: 'alpha' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('what was there before is indexed, also by the next process, and what others write meanwhile', async () => {
  const { path, directory } = await rig()
  const open = async (search: boolean): Promise<ChatHistory> => {
    const history = await openChatHistory({
      primary: { type: 'sqlite', path: path('primary'), search },
      backup: { type: 'sqlite', path: path('backup'), search },
      wal: `file:${join(directory, `wal-${String(search)}`)}`,
      logger: false,
    })
    onTestFinished(() => history.close())
    return history
  }
  const plain = await open(false)
  for (let i = 0; i < 3; i++) {
    const messages = Array.from({ length: 900 }, (_, k) => user(`old ${i * 900 + k}`))
    await plain.saveMessages(`c${i}`, messages)
  }
  await plain.flush()
  // The first one makes the index, and ends before it is built.
  const first = new SqliteBackend({ path: path('primary'), search: true })
  await first.connect()
  expect(first.getSearch()).toMatchObject({ state: 'building', items: 2_700 })
  const search = first.search({ numbers: [1], limit: 1 })
  await expect(search).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await first.disconnect()
  const second = await open(true)
  await expect.poll(() => second.status().places.primary.search.state, SOON).toBe('ready')
  for (const word of ['0', '899', '1500', '2699']) {
    expect(await found(second, `old ${word}`)).toEqual([`old ${word}`])
  }
  // This one was opened before there was an index, and writes past it.
  const { id } = await plain.saveMessage('c0', user('news of another'))
  expect(await found(second, 'another')).toEqual(['news of another'])
  await plain.deleteMessage('c0', id)
  expect(await found(second, 'another')).toEqual([])
})

test('an erase leaves nothing of a text, and an index never had it', async () => {
  const { open, directory } = await rig()
  const history = await open()
  await history.saveMessage('a', user('canary9c2e in words'))
  expect(await found(history, 'canary9c2e')).toHaveLength(1)
  await expect(history.eraseConversation('a')).resolves.toMatchObject({ complete: true })
  expect(await found(history, 'canary9c2e')).toEqual([])
  expect(await filesWith(directory, 'canary9c2e')).toEqual([])
})

test('verify notices what an index has lost, and repair brings it back', async () => {
  const { open, path } = await rig()
  const history = await open()
  await history.saveMessages('a', [user('alpha one'), user('alpha two')])
  expect(await found(history, 'alpha')).toHaveLength(2)
  await history.flush()
  const damage = async (sql: string): Promise<void> => {
    const file = (await loadSqliteDriver()).open(path('primary'))
    file.exec(sql)
    file.close()
  }
  await damage('DELETE FROM everthread_search_rows')
  expect(await found(history, 'alpha')).toEqual([])
  expect(JSON.stringify(await history.verify())).toContain('everthread_search')
  await history.repair()
  await expect.poll(() => found(history, 'alpha'), SOON).toHaveLength(2)
  await damage('DROP TRIGGER everthread_search_added')
  await history.saveMessage('a', user('alpha unseen'))
  expect(await found(history, 'unseen')).toEqual([])
  await history.repair()
  const search = (): Promise<unknown[]> => found(history, 'unseen').catch(() => [])
  await expect.poll(search, SOON).toHaveLength(1)
})

test('titles are found in records, and an owner’s conversations alone', async () => {
  const history = await (await rig()).open({ tenant: 't' })
  for (const [id, title, owner] of [
    ['a', 'Holidays in Kyoto', 'ann'],
    ['b', 'Holidays at home', 'bob'],
  ] as const) {
    await history.saveMessage(id, user('we talk of holidays'))
    await history.createConversation(id, { title, owner })
  }
  const titles = await history.search({ text: 'holidays', in: 'titles' })
  expect(titles.hits.map(({ title, conversationId }) => [title, conversationId])).toEqual([
    ['Holidays at home', 'b'],
    ['Holidays in Kyoto', 'a'],
  ])
  const ofAnn = await history.search({ text: 'holidays', in: 'titles', owner: 'ann' })
  expect(ofAnn.hits.map(({ conversationId }) => conversationId)).toEqual(['a'])
  const said = await history.search({ text: 'holidays', owner: 'bob', limit: 1 })
  expect(said.hits.map(({ conversationId }) => conversationId)).toEqual(['b'])
  const none = await history.search({ text: 'holidays', owner: 'eve' })
  expect(none).toMatchObject({ hits: [], complete: true })
})

test.each([
  [{ text: '' }, /text must have a word/],
  [{ text: '- "" ...' }, /text must have a word/],
  [{ text: '-only' }, /text must have a word/],
  [{ text: 'x'.repeat(1_048_576) }, /text must be at most 4096 characters, got 1048576/],
  [{ text: 'a '.repeat(40) }, /at most 32 words and phrases, got 40/],
  [{ text: 7 }, /text must be text, got/],
  [{ text: 'a', limit: 101 }, /limit must be an integer from 1 to 100/],
  [{ text: 'a', after: 'yesterday' }, /after must be a time of RFC 3339/],
  [{ text: 'a', role: 'king' }, /role must be/],
  [{ text: 'a', in: 'titles', role: 'user' }, /role must be left out/],
  [{ text: 'a', cursor: 'zzz' }, /cursor must be a cursor of a page/],
])('%j is refused before any database is asked', async (options, message) => {
  const { open, primary } = await rig()
  const history = await open()
  const before = primary.calls.get('search') ?? 0
  await expect(history.search(options as never)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
  })
  expect(primary.calls.get('search') ?? 0).toBe(before)
})

function withoutSearch(backend: MemoryBackend): ReplicaBackend {
  return new Proxy<ReplicaBackend>(backend, {
    get: (target, name) => {
      if (name === 'search' || name === 'getSearch') return undefined
      if (name === 'getDurability') return () => ({ durable: true, reasons: ['for a test'] })
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

test('who has found a message writes behind it, though the clock of its writer is ahead', async () => {
  const [primary, backup] = [new MemoryBackend(), new MemoryBackend()]
  const history = await openChatHistory({ primary, backup, wal: 'memory:', logger: false })
  onTestFinished(() => history.close())
  const floor = stampFloor(Date.now() + 60_000)
  const position = `${floor.slice(0, 14)}7000-8000-000000000001` as Stamp
  const key = 'chat/0::c'
  const value = '{"role":"user","content":"a harbour"}' as JsonText
  const append = { kind: 'put', change: 'append', key, id: 'm', position, stamp: position } as const
  for (const place of [primary, backup]) await place.apply([{ ...append, value }])
  const { hits } = await history.search({ text: 'harbour' })
  expect(hits).toMatchObject([{ position }])
  const receipt = await history.saveMessage('c', { role: 'user', content: 'Thank you' })
  expect(receipt.position > position).toBe(true)
})
