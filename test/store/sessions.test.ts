import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

const SECRET = 'a secret of at least sixteen bytes'

interface Pair {
  readonly a: ChatHistory
  readonly b: ChatHistory
  readonly backupOfA: FaultyBackend
  readonly primaryOfA: FaultyBackend
}

/** Two processes on the same two databases, each with a log of its own. */
async function pair(options: ChatHistoryOptions = {}): Promise<Pair> {
  const primary = new DurableMemoryBackend()
  const backup = new DurableMemoryBackend()
  const primaryOfA = faultyBackend(primary)
  const backupOfA = faultyBackend(backup)
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const common = { wal: `file:${directory}`, sessionSecret: SECRET, drainTimeout: 100, ...options }
  const a = await openChatHistory({ ...common, primary: primaryOfA, backup: backupOfA })
  const b = await openChatHistory({ ...common, primary, backup })
  onTestFinished(async () => {
    await a.close()
    await b.close()
  })
  return { a, b, primaryOfA, backupOfA }
}

test('a read with a token has what another process wrote while only its backup was there', async () => {
  const { a, b, primaryOfA } = await pair()
  await b.getHistory('c')
  primaryOfA.setMode('refused')
  const { session } = await a.saveMessage('c', { role: 'user', content: 'hello' })
  const page = await b.getHistory('c', { session: session! })
  expect(page.messages.map(({ content }) => content)).toEqual(['hello'])
  expect(page.complete).toBe(true)
})

test('a read with a token waits for what only the log of another process had', async () => {
  const { a, b } = await pair({ write: 'wal-first' })
  const { session, copies } = await a.saveMessage('c', { role: 'user', content: 'hello' })
  expect(copies).toEqual(['wal'])
  const page = await b.getHistory('c', { session: session! })
  expect(page.messages).toHaveLength(1)
})

test('a read that might be older than its token is UNAVAILABLE', async () => {
  const { a, b, primaryOfA, backupOfA } = await pair({ write: 'wal-first' })
  primaryOfA.setMode('refused')
  backupOfA.setMode('refused')
  const { session } = await a.saveMessage('c', { role: 'user', content: 'hello' })
  await expect(b.getHistory('c', { session: session! })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/older than the session/),
  })
})

test('whoever has read with a token writes after what it stands for', async () => {
  const { a, b } = await pair()
  const first = await a.saveMessage('c', { role: 'user', content: 'one' })
  await b.getHistory('c', { session: first.session! })
  const second = await b.saveMessage('c', { role: 'assistant', content: 'two' })
  expect(second.position > first.position).toBe(true)
})

test('a page carries a token too', async () => {
  const { a, b } = await pair()
  await a.saveMessage('c', { role: 'user', content: 'one' })
  const { session } = await a.getHistory('c')
  expect((await b.getHistory('c', { session: session! })).messages).toHaveLength(1)
})

test.each([
  ['nothing', () => ''],
  ['no signature', (token: string) => token.split('.')[0]!],
  ['another signature', (token: string) => `${token.slice(0, -4)}AAAA`],
  ['a changed body', (token: string) => `A${token.slice(1)}`],
  ['rubbish', () => '%%%.%%%'],
  ['something huge', () => 'x'.repeat(100_000)],
  ['another secret', (token: string) => resigned(token, 'another secret of 16 bytes')],
  [
    'a stamp far ahead',
    (token: string) => resigned(token, SECRET, 'ffffff00-0000-7000-8000-000000000000'),
  ],
])('a token with %s is refused', async (_what, forge) => {
  const { a } = await pair()
  const { session } = await a.saveMessage('c', { role: 'user', content: 'x' })
  await expect(a.getHistory('c', { session: forge(session!) })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

test('a token of one tenant is nothing to another', async () => {
  const { a } = await pair({ tenant: 'one' })
  const other = await pair({ tenant: 'two' })
  const { session } = await a.saveMessage('c', { role: 'user', content: 'x' })
  await expect(other.a.getHistory('c', { session: session! })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

test('a short secret is refused', async () => {
  await expect(pair({ sessionSecret: 'too short' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

function resigned(token: string, secret: string, stamp?: string): string {
  const body = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as {
    s: string
  }
  if (stamp !== undefined) body.s = stamp
  const bytes = Buffer.from(JSON.stringify(body))
  const mac = createHmac('sha256', secret).update(bytes).digest('base64url')
  return `${bytes.toString('base64url')}.${mac}`
}
