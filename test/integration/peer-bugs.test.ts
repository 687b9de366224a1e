// Goal: none of the bugs that were reproduced in libraries of this kind is one here.
// Method: each is provoked on the engines that it was found on. Those that have a test elsewhere are
// named at the end, with the file; they are not repeated.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { placeContents } from '../fault/support/place-contents.ts'
import { describePostgres, freshSchema, openPostgres } from '../support/postgres-backend.ts'

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everthread-peer-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

async function open(options: ChatHistoryOptions): Promise<ChatHistory> {
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return history
}

/** A message of the server to the client: a letter, its length, its body. */
function frame(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

test('a server that greets and goes away at once does not end the process', async () => {
  const greeting = [frame('R', Buffer.alloc(4)), frame('Z', Buffer.from('I'))]
  const farewell = frame('E', Buffer.from('SFATAL\0C57P01\0Mgoing away\0\0'))
  const server = createServer((socket) => {
    socket.on('error', () => {})
    // One piece: the client sees the error in the same turn in which it counts as connected.
    socket.once('data', () => socket.end(Buffer.concat([...greeting, farewell])))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const backend = new PostgresBackend({ port, connectTimeoutMs: 500 })
  onTestFinished(() => backend.disconnect())
  // An error that nobody listens to would end the run here.
  await expect(backend.connect()).rejects.toMatchObject({ code: 'CONNECTION' })
})

test('reads in a tight loop do not keep timers and saves waiting', async () => {
  const path = join(await directory(), 'chat.db')
  const backend = new SqliteBackend({ path })
  onTestFinished(() => backend.disconnect())
  await backend.connect()
  let fired = false
  setTimeout(() => (fired = true), 10)
  const until = performance.now() + 10_000
  while (!fired && performance.now() < until) await backend.countItems('k')
  expect(fired).toBe(true)
})

describePostgres('on PostgreSQL and SQLite', () => {
  test('more concurrent writes than connections do not wait for each other for ever', async () => {
    const url = { ...freshSchema(), maxConnections: 2 }
    const backup = { type: 'sqlite' as const, path: join(await directory(), 'b.db') }
    const history = await open({
      primary: { type: 'postgresql', ...url },
      backup,
      wal: `file:${await directory()}`,
    })
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const message = { role: 'user', content: `${i}`, id: `id ${i}` } as const
        await history.saveMessage(`c${i % 20}`, message)
        await history.getHistory(`c${i % 20}`)
      }),
    )
    expect(await history.countMessages('c0')).toBe(10)
  })

  test('50 concurrent saves to one conversation leave 50 messages in both databases', async () => {
    const primary = await openPostgres()
    const backup = new SqliteBackend({ path: join(await directory(), 'b.db') })
    const history = await open({ primary, backup, wal: `file:${await directory()}` })
    const receipts = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        history.saveMessage('c', { role: 'user', content: `${i}` }),
      ),
    )
    await history.flush()
    const ids = receipts.map(({ id }) => id).sort()
    for (const place of [primary, backup]) {
      expect((await placeContents(place, 'c')).map(({ id }) => id)).toEqual(ids)
    }
  })

  test('1,000 pending entries become 1,000 rows of the backup', async () => {
    const primary = await openPostgres()
    const inner = new SqliteBackend({ path: join(await directory(), 'b.db') })
    const backup = faultyBackend(inner)
    const history = await open({ primary, backup, wal: `file:${await directory()}` })
    backup.setMode('refused')
    await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        history.saveMessage(`c${i % 5}`, { role: 'user', content: `${i}` }),
      ),
    )
    // An entry is not marked as flushed while the backup is down.
    expect(history.status().places.backup.pending).toBe(1_000)
    backup.setMode('up')
    // Several flushes at once, beside the worker's own.
    await Promise.all([history.flush(), history.flush(), history.flush()])
    const counts = await Promise.all(
      [0, 1, 2, 3, 4].map((i) => placeContents(inner, `c${i}`).then(({ length }) => length)),
    )
    expect(counts).toEqual([200, 200, 200, 200, 200])
    expect(history.status().places.backup.pending).toBe(0)
  })

  test('messages of one millisecond keep their order, also when one of them is saved again', async () => {
    const primary = await openPostgres()
    const backup = new SqliteBackend({ path: join(await directory(), 'b.db') })
    const history = await open({ primary, backup, wal: `file:${await directory()}` })
    const messages = Array.from({ length: 200 }, (_, i) => ({
      id: `m${199 - i}`,
      role: 'user' as const,
      content: `${i}`,
    }))
    await history.saveMessages('c', messages)
    await history.saveMessage('c', messages[17]!)
    await history.flush()
    const ids = messages.map(({ id }) => id)
    for (const place of [primary, backup]) {
      expect((await placeContents(place, 'c')).map(({ id }) => id)).toEqual(ids)
    }
  })

  test('an id that is in another conversation or of another tenant stays there', async () => {
    const primary = { type: 'postgresql' as const, ...freshSchema() }
    const backup = { type: 'sqlite' as const, path: join(await directory(), 'b.db') }
    const wal = await directory()
    const tenant = async (name: string): Promise<ChatHistory> =>
      await open({ primary, backup, wal: `file:${wal}`, tenant: name })
    const [ann, bob] = [await tenant('ann'), await tenant('bob')]
    await ann.saveMessage('c', { id: 'm', role: 'user', content: 'of ann' })
    await ann.saveMessage('d', { id: 'm', role: 'user', content: 'of ann, elsewhere' })
    await bob.saveMessage('c', { id: 'm', role: 'user', content: 'of bob' })
    expect((await ann.getMessage('c', 'm'))?.content).toBe('of ann')
    expect((await ann.getMessage('d', 'm'))?.content).toBe('of ann, elsewhere')
    expect((await bob.getMessage('c', 'm'))?.content).toBe('of bob')
  })

  test('a group with one message that is refused leaves none of its messages anywhere', async () => {
    const primary = await openPostgres()
    const backup = new SqliteBackend({ path: join(await directory(), 'b.db') })
    const history = await open({ primary, backup, wal: `file:${await directory()}` })
    await history.saveMessage('c', { id: 'taken', role: 'user', content: 'first' })
    const group = Array.from({ length: 10 }, (_, i) => ({
      id: i === 6 ? 'taken' : `m${i}`,
      role: 'user' as const,
      content: `${i}`,
    }))
    await expect(history.saveMessages('c', group)).rejects.toMatchObject({
      code: 'CONFLICT',
      effect: 'none',
    })
    await history.flush()
    for (const place of [primary, backup]) {
      expect((await placeContents(place, 'c')).map(({ id }) => id)).toEqual(['taken'])
    }
  })

  test('a clear during a flush stays one: nothing that it removed returns', async () => {
    const primary = await openPostgres()
    const inner = new SqliteBackend({ path: join(await directory(), 'b.db') })
    const backup = faultyBackend(inner)
    const history = await open({ primary, backup, wal: `file:${await directory()}` })
    for (let round = 0; round < 5; round++) {
      backup.setMode('refused')
      await history.saveMessages(
        'c',
        Array.from({ length: 300 }, () => ({ role: 'user' as const, content: 'old' })),
      )
      backup.setMode('up')
      const flushed = history.flush()
      await nextTurn()
      await history.clearHistory('c')
      await flushed
      await history.saveMessage('c', { role: 'user', content: 'new' })
      await history.flush()
      for (const place of [primary, inner]) expect(await placeContents(place, 'c')).toHaveLength(1)
      await history.clearHistory('c', { wait: 'everywhere' })
    }
  })

  test('closing flushes: the backup has everything', async () => {
    const primary = await openPostgres()
    const backup = new SqliteBackend({ path: join(await directory(), 'b.db') })
    await backup.connect()
    onTestFinished(() => backup.disconnect())
    const history = await open({ primary, backup, wal: `file:${await directory()}` })
    await Promise.all(
      Array.from({ length: 500 }, (_, i) =>
        history.saveMessage('c', { role: 'user', content: `${i}` }),
      ),
    )
    await history.close()
    expect(await placeContents(backup, 'c')).toHaveLength(500)
  })

  test('an outage of both databases never reads as an empty history', async () => {
    const primary = faultyBackend(await openPostgres())
    const backup = faultyBackend(new SqliteBackend({ path: join(await directory(), 'b.db') }))
    const history = await open({ primary, backup, wal: `file:${await directory()}` })
    await history.saveMessage('c', { id: 'm', role: 'user', content: 'there' })
    primary.setMode('refused')
    backup.setMode('refused')
    const unavailable = { code: 'UNAVAILABLE' }
    await expect(history.getHistory('c')).rejects.toMatchObject(unavailable)
    await expect(history.getMessage('c', 'm')).rejects.toMatchObject(unavailable)
    await expect(history.countMessages('c')).rejects.toMatchObject(unavailable)
    await expect(history.listConversations()).rejects.toMatchObject(unavailable)
    await expect(
      history.updateMessage('c', 'm', { role: 'user', content: 'x' }),
    ).rejects.toMatchObject(unavailable)
  })
})

// Tested elsewhere: an idle connection that drops, and writes beyond the pool's size, on the engine
// alone: test/fault/postgres-*.test.ts. A save while the primary is out reaches it afterwards:
// test/fault/store-primary-out.test.ts. A clear while the backup is out: store-backup-out.test.ts.
// NUL and lone surrogates: unicode.test.ts. What a log could not hand over stays in it:
// test/fault/store-restart.test.ts.
describe('the list above', () => {
  test('names files that are there', async () => {
    const { access } = await import('node:fs/promises')
    for (const file of [
      'fault/store-primary-out.test.ts',
      'fault/store-backup-out.test.ts',
      'fault/store-restart.test.ts',
      'integration/unicode.test.ts',
    ]) {
      await access(join(import.meta.dirname, '..', file))
    }
  })
})
