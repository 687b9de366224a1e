// Goal: an erase reaches every place, however long one is out, from whichever process; it takes what it
// was asked for and nothing else, and says what is pending and what it cannot reach.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { StampClock } from '../../src/core/stamp.ts'
import { MemoryCache } from '../../src/core.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { recordOperation } from '../../src/store/erase/erasure-record.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { shiftedClock } from '../support/shifted-clock.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'
import { WALManager } from '../../src/wal/wal-manager.ts'
import { filesWith } from '../support/files-with.ts'

const CANARY = 'canary-9c2e'
const DOOMED = { role: 'user', content: `${CANARY} text` } as const
const KEPT = { role: 'user', content: 'kept' } as const
const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
} as const

interface Rig {
  readonly directory: string
  readonly backup: () => FaultyBackend
  readonly open: (options?: ChatHistoryOptions) => Promise<ChatHistory>
}

/** SQLite files and a file log; each store's way to the backup can be cut. */
async function rig(): Promise<Rig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-erase-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  let line: FaultyBackend
  return {
    directory,
    backup: () => line,
    open: async (options = {}) => {
      line = faultyBackend(new SqliteBackend({ path: join(directory, 'backup.db') }))
      const history = await openChatHistory({
        primary: `sqlite:${join(directory, 'primary.db')}`,
        backup: line,
        wal: `file:${join(directory, 'wal')}`,
        health: HEALTH,
        drainTimeout: 100,
        ...options,
      })
      onTestFinished(() => history.close())
      return history
    },
  }
}

async function untilErased(history: ChatHistory): Promise<void> {
  const open = async (): Promise<number> =>
    (await history.listErasures()).filter(({ complete }) => !complete).length
  await expect.poll(open, { timeout: 40_000 }).toBe(0)
}

test('an erase leaves no byte in any file, and other conversations as they were', async () => {
  const { directory, open } = await rig()
  const history = await open()
  const { id } = await history.saveMessage('a', DOOMED)
  await history.updateMessage('a', id, { role: 'user', content: `second ${CANARY}` })
  await history.saveMessages('b', [KEPT, KEPT])
  await history.flush()
  expect(await filesWith(directory, CANARY)).not.toEqual([])
  const receipt = await history.eraseConversation('a')
  expect(receipt).toMatchObject({
    complete: true,
    places: {
      primary: { state: 'erased', pending: [] },
      backup: { state: 'erased', pending: [] },
      wal: { state: 'erased', pending: [] },
      cache: { state: 'erased', pending: [] },
    },
  })
  expect(receipt.places.primary.remains.join()).toMatch(/copies of the SQLite file/)
  expect(await filesWith(directory, CANARY)).toEqual([])
  expect((await history.getHistory('a')).messages).toEqual([])
  expect(await history.countMessages('b')).toBe(2)
  expect(await history.listErasures()).toEqual([receipt])
  expect(history.status().erasing).toBe(0)
})

test('what is saved after an erase stays, and the conversation goes on', async () => {
  const { open, directory } = await rig()
  const history = await open()
  await history.saveMessage('a', DOOMED)
  await Promise.all([
    history.eraseConversation('a').then(() => history.saveMessage('a', KEPT)),
    history.saveMessage('b', KEPT),
  ])
  expect((await history.getHistory('a')).messages).toMatchObject([KEPT])
  await history.close()
  const again = await open()
  await again.flush()
  expect((await again.getHistory('a')).messages).toMatchObject([KEPT])
  expect(await filesWith(directory, CANARY)).toEqual([])
})

test('a backup that is out for longer than the process gets it when it is back, and its payloads are in no log meanwhile', async () => {
  const { directory, backup, open } = await rig()
  const first = await open()
  await first.saveMessage('a', DOOMED)
  await first.flush()
  backup().setMode('refused')
  for (let i = 0; i < 20; i++) await first.saveMessage('a', DOOMED)
  await first.saveMessage('b', KEPT)
  const receipt = await first.eraseConversation('a', { deadlineMs: 300 })
  expect(receipt).toMatchObject({
    complete: false,
    places: {
      primary: { state: 'erased' },
      wal: { state: 'erased' },
      backup: { state: 'pending' },
    },
  })
  expect(receipt.places.backup.pending).not.toEqual([])
  // Lists beside it may be in the backup alone: they are erased with it.
  expect(first.status().erasing).toBe(1)
  // The backup had one of them before it went out; nothing else has any.
  const left = await filesWith(directory, CANARY)
  expect(left.every((name) => name.startsWith('backup.db'))).toBe(true)
  await first.close()

  const second = await open()
  await untilErased(second)
  await second.flush()
  expect(await filesWith(directory, CANARY)).toEqual([])
  expect(await second.countMessages('b')).toBe(1)
  expect(await second.countMessages('a')).toBe(0)
  const { missingInBackup, missingInPrimary } = await second.reconcile()
  expect({ missingInBackup, missingInPrimary }).toEqual({ missingInBackup: 0, missingInPrimary: 0 })
})

test('a log in another folder is not waited for: the receipt says so, and its process takes them out', async () => {
  const { directory, backup, open } = await rig()
  const elsewhere = join(directory, 'elsewhere')
  const other = await open({ wal: `file:${elsewhere}` })
  backup().setMode('refused')
  await other.saveMessage('a', DOOMED)
  const history = await open()
  const receipt = await history.eraseConversation('a', { deadlineMs: 20_000 })
  expect(receipt.complete).toBe(true)
  expect(receipt.places.wal.remains.join()).toMatch(/on other machines, until their processes/)
  const left = async (): Promise<readonly string[]> => await filesWith(elsewhere, CANARY)
  await expect.poll(left, { timeout: 40_000 }).toEqual([])
})

test('another process takes the payloads out of its own log, and the receipt waits for it', async () => {
  const { directory, backup, open } = await rig()
  const other = await open()
  const line = backup()
  line.setMode('refused')
  await other.saveMessage('a', DOOMED)
  const history = await open()
  const receipt = await history.eraseConversation('a', { deadlineMs: 0 })
  expect(receipt.complete).toBe(false)
  expect(receipt.places.wal.pending.join()).toMatch(/of another process/)
  await untilErased(history)
  line.setMode('up')
  await other.flush()
  await untilErased(other)
  expect(await filesWith(directory, CANARY)).toEqual([])
})

test('erasing a tenant takes all its conversations and those of no other tenant', async () => {
  const { directory, open } = await rig()
  const history = await open({ tenant: 'acme' })
  const neighbour = await open({ tenant: 'acme2' })
  for (let i = 0; i < 40; i++) await history.saveMessage(`c${i}`, DOOMED)
  await neighbour.saveMessage('c1', KEPT)
  await expect(history.eraseTenant('acme2')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const receipt = await history.eraseTenant('acme')
  expect(receipt.complete ? [] : receipt).toEqual([])
  expect((await history.listConversations()).conversations).toEqual([])
  expect(await neighbour.countMessages('c1')).toBe(1)
  expect(await neighbour.listErasures()).toEqual([])
  await untilErased(history)
  expect(await filesWith(directory, CANARY)).toEqual([])
})

test('what is saved while a tenant is being erased stays', async () => {
  const env = nodeEnv({
    failpoints: {
      async hit(name) {
        if (name === 'erase.begun') await history.saveMessage('c', KEPT)
      },
    },
  })
  const databases = { primary: new DurableMemoryBackend(), backup: new DurableMemoryBackend() }
  const history = await openChatHistory({ ...databases, wal: 'memory:', tenant: 't', env })
  onTestFinished(() => history.close())
  await history.saveMessage('c', DOOMED)
  const receipt = await history.eraseTenant('t')
  expect(receipt.complete ? [] : receipt).toEqual([])
  const { messages } = await history.getHistory('c')
  expect(messages.map(({ content }) => content)).toEqual([KEPT.content])
})

test('a tenant is erased in the backup while the primary is out, and in the primary when it is back', async () => {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const line = faultyBackend(primary)
  const history = await openChatHistory({
    primary: line,
    backup,
    wal: 'memory:',
    tenant: 't',
    health: HEALTH,
  })
  onTestFinished(() => history.close())
  for (let i = 0; i < 5; i++) await history.saveMessage(`c${i}`, DOOMED)
  await history.flush()
  line.setMode('refused')
  const receipt = await history.eraseTenant('t', { deadlineMs: 500 })
  expect(receipt.complete).toBe(false)
  // The primary may have conversations that nobody has listed yet, and pages of them may be cached.
  expect(receipt.places.cache.state).toBe('pending')
  expect((await backup.listKeys({ prefix: 'chat/1:t:', limit: 10 })).keys).toEqual([])
  line.setMode('up')
  await untilErased(history)
  expect((await primary.listKeys({ prefix: 'chat/1:t:', limit: 10 })).keys).toEqual([])
})

test('what a database copies to one that has signed off is taken from both', async () => {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const late = append('chat/1:t:late', stampAt(1), '{"role":"user","content":"late"}')
  let arrived = false
  const env = nodeEnv({
    failpoints: {
      async hit(name) {
        if (name !== 'erase.beforePurge' || arrived) return
        // The primary was just found to have nothing left.
        arrived = true
        for (const database of [primary, backup]) await database.apply([late])
      },
    },
  })
  const leftAtPurge: number[] = []
  const purge = primary.purge.bind(primary)
  primary.purge = async () => {
    leftAtPurge.push((await primary.listKeys({ prefix: 'chat/1:t:', limit: 10 })).keys.length)
    return await purge()
  }
  const history = await openChatHistory({ primary, backup, wal: 'memory:', tenant: 't', env })
  onTestFinished(() => history.close())
  await history.saveMessage('c', DOOMED)
  await history.flush()
  const receipt = await history.eraseTenant('t')
  expect(receipt.complete ? [] : receipt).toEqual([])
  expect(leftAtPurge.at(-1)).toBe(0)
})

test('cached pages are removed from the cache, and a cache that is out is pending', async () => {
  const server = new MemoryCache({ maxEntries: 1_000 })
  let cut = false
  const cache = new Proxy(server, {
    get(target, name) {
      if (cut && (name === 'get' || name === 'set' || name === 'delete')) {
        return () => Promise.reject(new Error('the line is cut'))
      }
      const member: unknown = Reflect.get(target, name)
      if (name === 'getBackendType') return () => 'cache-server'
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
  const history = await openChatHistory({
    primary: new DurableMemoryBackend(),
    backup: new DurableMemoryBackend(),
    wal: 'memory:',
    cache,
    read: { type: 'cache-enhanced', config: { localEntries: 100 } },
    health: HEALTH,
  })
  onTestFinished(() => history.close())
  await history.saveMessage('a', DOOMED)
  const entry = 'everthread:window:chat/0::a'
  await expect
    .poll(
      async () => {
        await history.getHistory('a')
        return JSON.stringify(await server.get(entry))?.includes(CANARY)
      },
      { timeout: 20_000 },
    )
    .toBe(true)
  cut = true
  const receipt = await history.eraseConversation('a', { deadlineMs: 0 })
  expect(receipt.places.cache.state).toBe('pending')
  cut = false
  await untilErased(history)
  expect(await server.get(entry)).toBeUndefined()
})

test('an erase that was refused has not begun, and bad input is refused', async () => {
  const { open } = await rig()
  const history = await open()
  await expect(history.eraseConversation('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(history.eraseConversation('a', { deadlineMs: -1 })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  expect(await history.listErasures()).toEqual([])
  await history.close()
  await expect(history.eraseConversation('a')).rejects.toMatchObject({ code: 'CLOSED' })
})

test.each([
  { scope: 'key', target: 'chat/1:t:c' },
  { scope: 'prefix', target: 'chat/1:t:' },
] as const)('an erase of a $scope that only one database has heard of is finished', async (ask) => {
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const options = { primary, backup, wal: 'memory:', tenant: 't', health: HEALTH } as const
  const first = await openChatHistory(options)
  await first.saveMessage('c', DOOMED)
  await first.flush()
  await first.close()
  // A process died between the two databases, before its log knew: nobody brings this to the backup.
  const { now, randomBytes } = nodeEnv()
  const clock = new StampClock({ now, writer: randomBytes(8) })
  const stored = { ...ask, requestedAtMs: Date.now(), cleared: true, signed: {} }
  const record = recordOperation('cut-short', stored, clock.tick(ask.target))
  await primary.connect()
  await primary.apply([record, { kind: 'delete', key: 'chat/1:t:c', stamp: record.stamp }])

  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  await untilErased(history)
  expect((await backup.listKeys({ prefix: 'chat/1:t:', limit: 10 })).keys).toEqual([])
})

test('completed erases cost a process one pass over its log when it starts, and no reads of records after that', async () => {
  const env = virtualEnv()
  const passes = vi.spyOn(WALManager.prototype, 'erase')
  onTestFinished(() => passes.mockRestore())
  const databases = {
    primary: new DurableMemoryBackend(env),
    backup: new DurableMemoryBackend(env),
  }
  const primary = faultyBackend(databases.primary)
  const openMemory = async () => {
    const given = { env, primary, backup: faultyBackend(databases.backup), wal: 'memory:' } as const
    const history = await env.drive(openChatHistory(given))
    onTestFinished(() => env.drive(history.close()))
    return history
  }
  const one = await openMemory()
  for (let i = 0; i < 20; i++) {
    await env.drive(one.saveMessage(`c${i}`, DOOMED))
    expect((await env.drive(one.eraseConversation(`c${i}`))).complete).toBe(true)
  }
  await env.drive(one.close())
  passes.mockClear()
  await openMemory()
  await env.advance(30_000)
  expect(passes).toHaveBeenCalledTimes(1)
  const before = primary.calls.get('readRegister') ?? 0
  await env.advance(60_000)
  expect(passes).toHaveBeenCalledTimes(1)
  expect((primary.calls.get('readRegister') ?? 0) - before).toBe(0)
})

test('an erase of a prefix is refused while the clocks disagree: it goes up to a stamp', async () => {
  const env = virtualEnv()
  const clock = { ms: 0 }
  const primary = shiftedClock(new DurableMemoryBackend(env), clock)
  const given = { env, primary, backup: new DurableMemoryBackend(env), wal: 'memory:' } as const
  const history = await env.drive(openChatHistory({ ...given, tenant: 't' }))
  onTestFinished(() => env.drive(history.close()))
  await env.drive(history.saveMessage('a', DOOMED))
  clock.ms = 86_400_000
  await expect(env.drive(history.eraseTenant('t'))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    effect: 'none',
    message: expect.stringContaining("the primary's is 86400000 ms ahead"),
  })
  expect((await env.drive(history.eraseConversation('a'))).complete).toBe(true)
  clock.ms = 0
  expect((await env.drive(history.eraseTenant('t'))).complete).toBe(true)
})

test('the record of an erase outlives a clock that is 400 days ahead', async () => {
  const env = virtualEnv()
  const clock = { ms: 0 }
  const primary = shiftedClock(new DurableMemoryBackend(env), clock)
  const backup = shiftedClock(new DurableMemoryBackend(env), clock)
  const history = await env.drive(openChatHistory({ env, primary, backup, wal: 'memory:' }))
  onTestFinished(() => env.drive(history.close()))
  await env.drive(history.eraseConversation('a'))
  env.jumpWallClock(400 * 86_400_000)
  clock.ms = -400 * 86_400_000
  await env.advance(60_000)
  expect(await env.drive(history.listErasures())).toHaveLength(1)
})

test('an erase takes the deltas of messages that are being written, and of those that were', async () => {
  const { directory, open } = await rig()
  const history = await open()
  const doomed = [
    await history.startMessage('c', { role: 'assistant', id: 'finished' }),
    await history.startMessage('c', { role: 'assistant', id: 'left' }),
  ]
  for (const stream of doomed) {
    await stream.append(`${CANARY} text`)
    await stream.flush()
  }
  const kept = await history.startMessage('c2', { role: 'assistant', id: 'kept' })
  await kept.append('kept')
  await kept.flush()
  await doomed[0]!.finish({ role: 'assistant', content: 'nothing of it' })
  const { complete } = await history.eraseConversation('c', { deadlineMs: 20_000 })
  expect(complete).toBe(true)
  expect(await filesWith(directory, CANARY)).toEqual([])
  expect(await history.getMessage('c2', 'kept')).toMatchObject({ content: 'kept' })
  await kept.finish()
}, 30_000)
