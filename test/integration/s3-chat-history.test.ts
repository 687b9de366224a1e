// Goal: the chat layer keeps its contract with a bucket as backup, goes on when the primary dies, and
// a primary that lost everything is made again from the bucket. Method: real PostgreSQL, a server of
// the S3 protocol in this process; the objects are looked into.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { S3Backend } from '../../src/backend/s3/index.ts'
import { openChatHistory, type ChatHistory, type DatabaseConfig } from '../../src/index.ts'
import { chatHistoryConformance } from '../../src/testing/chat-history-conformance.ts'
import { S3Server } from '../../simulator/s3/s3-server.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'
import { startPostgres } from '../support/postgres-server.ts'

const server = new S3Server()
let scratch = ''
let count = 0

beforeAll(async () => {
  await server.start()
  scratch = await mkdtemp(join(tmpdir(), 'everthread-s3-'))
})
afterAll(async () => {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
})

function bucket(): DatabaseConfig & { readonly type: 's3' } {
  return {
    type: 's3',
    url: `s3://bucket/${randomBytes(6).toString('hex')}?endpoint=${server.endpoint}`,
    credentials: server.keys,
  }
}

function log(): string {
  return `file:${join(scratch, `wal-${++count}`)}`
}

for (const write of ['idempotent', 'wal-first', 'dual-write'] as const) {
  chatHistoryConformance({
    name: `SQLite, S3 and a log on disk, ${write}`,
    open: () =>
      openChatHistory({
        primary: { type: 'sqlite', path: join(scratch, `primary-${++count}.db`) },
        backup: bucket(),
        wal: log(),
        write,
      }),
  })
}

describePostgres('on PostgreSQL', () => {
  chatHistoryConformance({
    name: 'PostgreSQL, S3 and a log on disk',
    open: () =>
      openChatHistory({
        primary: { type: 'postgresql', ...freshSchema() },
        backup: bucket(),
        wal: log(),
      }),
  })

  describe('a primary that dies', () => {
    test('saves and reads go on from the bucket, and what was missed is caught up', async () => {
      const postgres = await startPostgres()
      onTestFinished(() => postgres.stop())
      const history = await open({ type: 'postgresql', url: postgres.url }, bucket())
      const saved: string[] = []
      for (let i = 0; i < 20; i++) saved.push(await save(history, `${i}`))
      await postgres.kill()
      for (let i = 20; i < 40; i++) {
        const receipt = await history.saveMessage('c', { role: 'user', content: `${i}` })
        expect(receipt.copies).toContain('backup')
        expect(receipt.durable).toBe(true)
        saved.push(receipt.id)
      }
      const during = await history.getHistory('c', { limit: 100 })
      expect(during.messages.map(({ id }) => id)).toEqual(saved)
      expect(during.complete).toBe(false)
      await postgres.restart()
      await expect.poll(() => history.status().places.primary.pending, { timeout: 20_000 }).toBe(0)
      const after = await history.getHistory('c', { limit: 100 })
      expect(after.messages.map(({ id }) => id)).toEqual(saved)
    })

    test('one that lost everything is restored from the bucket, the cleared stays cleared', async () => {
      const places = { backup: bucket(), first: freshSchema(), second: freshSchema() }
      const first = await open({ type: 'postgresql', ...places.first }, places.backup)
      const saved: string[] = []
      for (let i = 0; i < 30; i++) saved.push(await save(first, `${i}`))
      await save(first, 'forget me', 'cleared')
      await first.clearHistory('cleared', { wait: 'everywhere' })
      expect(server.store().holding('forget me')).toEqual([])
      await first.flush()
      await first.close()
      const second = await open({ type: 'postgresql', ...places.second }, places.backup)
      await second.reconcile()
      const { messages, complete } = await second.getHistory('c', { limit: 100 })
      expect(messages.map(({ id }) => id)).toEqual(saved)
      expect(complete).toBe(true)
      expect((await second.getHistory('cleared')).messages).toEqual([])
      const report = await second.verify()
      expect([report.missingInBackup, report.missingInPrimary, report.differing]).toEqual([0, 0, 0])
    })
  })
})

describe('maintenance', () => {
  test('a damaged segment is found by a deep verification and mended from the primary', async () => {
    const primary = { type: 'sqlite', path: join(scratch, `primary-${++count}.db`) } as const
    const backup = bucket()
    const history = await open(primary, backup)
    const long = 'z'.repeat(2_000)
    for (let i = 0; i < 5; i++) {
      await Promise.all(Array.from({ length: 20 }, (_, n) => save(history, `${i} ${n} ${long}`)))
    }
    await history.flush()
    await history.reconcile()
    const { objects } = server.store()
    const [name, object] = [...objects].find(([one, { body }]) => {
      return one.includes('/v/') && body.includes(long)
    })!
    const body = Buffer.from(object.body)
    body[body.byteLength >> 1]! ^= 1
    objects.set(name, { ...object, body })
    const found = await history.verify({ deep: true })
    expect(found.damaged).toBeGreaterThan(0)
    expect(found.damagedRows[0]).toMatchObject({ place: 'backup', part: 'appended' })
    const mended = await history.repair()
    expect(mended.repaired).toBe(found.damaged)
    expect((await history.verify({ deep: true })).damaged).toBe(0)
  })

  test('an erased conversation is in no object, whatever was edited, and the receipt says so', async () => {
    const primary = { type: 'sqlite', path: join(scratch, `primary-${++count}.db`) } as const
    const history = await open(primary, bucket())
    const id = await save(history, 'first words of somebody')
    await history.flush()
    await history.updateMessage('c', id, { role: 'user', content: 'other words of somebody' })
    await history.flush()
    expect(server.store().holding('words of somebody')).not.toEqual([])
    const receipt = await history.eraseConversation('c', { deadlineMs: 20_000 })
    expect(receipt.complete).toBe(true)
    expect(receipt.places.backup.state).toBe('erased')
    const remains = receipt.places.backup.remains.join()
    expect(remains).toMatch(/uploads that were cut off.*replicas/)
    expect(remains).not.toMatch(/old versions/)
    expect(server.store().holding('words of somebody')).toEqual([])
  })
})

test('a bucket that is out costs nothing but its copies, and has all of it afterwards', async () => {
  const backup = bucket()
  const primary = { type: 'sqlite', path: join(scratch, `primary-${++count}.db`) } as const
  const history = await open(primary, backup)
  server.fault = () => 'slow-down'
  const saved: string[] = []
  for (let i = 0; i < 20; i++) saved.push(await save(history, `${i}`))
  server.fault = () => undefined
  await history.flush()
  const reader = new S3Backend(backup)
  await reader.connect()
  onTestFinished(() => reader.disconnect())
  const { keys } = await reader.listKeys({ prefix: '', limit: 10 })
  const page = await reader.readItems({ key: keys[0]!, limit: 100, order: 'oldest' })
  expect(page.items.map(({ id }) => id)).toEqual(saved)
})

async function open(primary: DatabaseConfig, backup: DatabaseConfig): Promise<ChatHistory> {
  const history = await openChatHistory({
    primary,
    backup,
    wal: log(),
    health: {
      type: 'circuit-breaker',
      config: { circuitOpenDuration: 200, healthCheckInterval: 100 },
    },
  })
  onTestFinished(() => history.close())
  return history
}

async function save(history: ChatHistory, content: string, conversation = 'c'): Promise<string> {
  return (await history.saveMessage(conversation, { role: 'user', content })).id
}
