// Goal: bytes that nobody of ours made are refused or read as what they are, never trusted.
// Method: tokens, cursors and files of the log are changed at random; names are chosen as an attacker
// would who hopes that they become paths.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, isStorageError, type ChatHistory } from '../../src/index.ts'
import { SessionTokens } from '../../src/chat/session-token.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'
import { readOperations } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import { HOSTILE_NAMES } from './names.ts'

const RUNS = 500
const HOUR_MS = 3_600_000

test('a token that was changed in any way is refused', () => {
  const tokens = new SessionTokens('sixteen bytes at least', HOUR_MS)
  const stamp = stampAt(5)
  const token = tokens.sign({ tenant: 'one', writer: '8000-000000000001', stamp })
  expect(tokens.read(token, 'one', Date.now()).stamp).toBe(stamp)
  const changed = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.nat(token.length - 1), fc.string({ maxLength: 3 }))
      .map(([at, text]) => token.slice(0, at) + text + token.slice(at + 1)),
    fc.nat(token.length - 1).map((length) => token.slice(0, length)),
    fc.string().map((text) => `${token}.${text}`),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
  )
  fc.assert(
    fc.property(changed, (text) => {
      // Base64 has spellings of the same bytes; those are the same token.
      const same = (a: string): string =>
        a
          .split('.')
          .map((part) => Buffer.from(part, 'base64url').toString('hex'))
          .join('.')
      fc.pre(same(text) !== same(token))
      expect(() => tokens.read(text, 'one', Date.now())).toThrowError(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }),
    { numRuns: RUNS },
  )
})

test('a cursor that is none of ours is refused', async () => {
  const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  onTestFinished(() => history.close())
  await history.saveMessage('c', { role: 'user', content: 'x' })
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
      for (const call of [
        () => history.getHistory('c', { before: text }),
        () => history.getHistory('c', { after: text }),
        () => history.listConversations({ before: text }),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      }
    }),
    { numRuns: 300 },
  )
})

const OPERATIONS = Array.from({ length: 30 }, (_, i) => append('key', stampAt(i + 1), `value ${i}`))

/** A log that was closed, or not, and has all of the operations. */
async function written(isClosed: boolean): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  const wal = new FileWal(virtualEnv({ disk }), { directory: '/wal', segmentBytes: 4_096 })
  await wal.open('8000-000000000001')
  for (const operation of OPERATIONS) await wal.append([operation])
  wal.acknowledge('backup', [1, 2, 3])
  if (isClosed) await wal.close()
  return disk
}

test('a log with changed bytes opens with what was written, or is CORRUPT', async () => {
  const known = new Set(OPERATIONS.map((operation) => JSON.stringify(operation)))
  const change = fc.record({
    isClosed: fc.boolean(),
    file: fc.nat(),
    at: fc.nat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    cut: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(change, async ({ isClosed, file, at, bytes, cut }) => {
      const disk = await written(isClosed)
      const paths = disk.paths()
      const path = paths[file % paths.length]!
      const before = disk.bytes(path)
      const start = before.byteLength === 0 ? 0 : at % before.byteLength
      const after = Buffer.from(cut ? before.subarray(0, start) : before)
      if (!cut) after.set(bytes.subarray(0, after.byteLength - start), start)
      disk.put(path, after)
      const wal = new FileWal(virtualEnv({ disk: disk.attach(), seed: 2, process: OTHER }), {
        directory: '/wal',
      })
      try {
        await wal.open('8000-000000000002')
        for (const operation of await readOperations(wal, 'primary')) {
          expect(known.has(JSON.stringify(operation)), 'nothing is made up').toBe(true)
        }
      } catch (error) {
        if (!isStorageError(error)) throw error
        expect(['CORRUPT', 'UNSUPPORTED']).toContain(error.code)
      }
    }),
    { numRuns: 300 },
  )
}, 300_000)

const SELF = { bootId: 'boot', pidNamespace: '1', pid: 2, startTime: '2' }
const OTHER = {
  self: SELF,
  state: ({ pid }: { readonly pid: number }) =>
    pid === 2 ? ('alive' as const) : ('dead' as const),
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries.map((entry) => join(entry.parentPath, entry.name))
}

test('no name becomes a path, a statement or a prototype, and files are the owner’s alone', async () => {
  const root = await mkdtemp(join(tmpdir(), 'everthread-hostile-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const data = join(root, 'deep', 'data')
  const open = (tenant: string): Promise<ChatHistory> =>
    openChatHistory({
      primary: `sqlite:${join(data, 'primary.db')}`,
      backup: `sqlite:${join(data, 'backup.db')}`,
      wal: `file:${join(data, 'wal')}`,
      tenant,
    })
  for (const tenant of ['', ...HOSTILE_NAMES.slice(0, 3), '__proto__']) {
    const history = await open(tenant)
    for (const name of HOSTILE_NAMES) {
      const saved = { id: name, role: 'user', content: name, [name]: name } as const
      await history.saveMessage(name, saved)
      const { messages } = await history.getHistory(name)
      expect(messages).toHaveLength(1)
      expect(messages[0]).toMatchObject({ id: name, content: name })
    }
    const { conversations } = await history.listConversations({ limit: 100 })
    expect(conversations.map(({ conversationId }) => conversationId).sort()).toEqual(
      [...HOSTILE_NAMES].sort(),
    )
    expect(Object.hasOwn(Object.prototype, 'role')).toBe(false)
    const files = await filesBelow(root)
    for (const file of files) {
      expect(file).toMatch(
        /\/deep(\/data(\/(primary|backup)\.db(-wal|-shm)?|\/wal(\/[0-9a-z.-]+){0,2})?)?$/,
      )
      const { mode } = await stat(file)
      if (file.includes('/data/')) expect(mode & 0o077, file).toBe(0)
    }
    await history.close()
  }
  expect(await readdir(root)).toEqual(['deep'])
})
