// Goal: a cached page never lacks what a process has acknowledged, and never shows what one cleared.
// Method: two stores on the same databases and one cache in memory that stands for a server; each
// reaches it through a switch of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { CacheBackend } from '../../src/backend/cache-backend.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { MemoryCache } from '../../src/core.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'

/** A store's way to the cache server. */
class CacheLine implements CacheBackend {
  reads = 0
  isCut = false
  #connected = false
  readonly #server: MemoryCache

  constructor(server: MemoryCache) {
    this.#server = server
  }

  async get<T>(key: string): Promise<T | undefined> {
    this.reads++
    this.#check()
    // Values go over a wire: nobody shares objects.
    return structuredClone(await this.#server.get<T>(key))
  }

  async set<T>(key: string, value: T, ttlSeconds?: number): Promise<void> {
    this.#check()
    await this.#server.set(key, structuredClone(value), ttlSeconds)
  }

  async delete(key: string): Promise<void> {
    this.#check()
    await this.#server.delete(key)
  }

  async connect(): Promise<void> {
    this.#check()
    this.#connected = true
  }
  async disconnect(): Promise<void> {}

  isConnected(): boolean {
    return this.#connected
  }

  getBackendType(): string {
    return 'cache-server'
  }

  #check(): void {
    if (this.isCut) throw new Error('the line is cut')
  }
}

interface Side {
  readonly history: ChatHistory
  readonly cache: CacheLine
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
}

async function sides(
  options: ChatHistoryOptions = {},
  ofA: ChatHistoryOptions = {},
): Promise<{ a: Side; b: Side }> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const server = new MemoryCache()
  await server.connect()
  const databases = [new DurableMemoryBackend(), new DurableMemoryBackend()] as const
  const open = async (name: string, more: ChatHistoryOptions = {}): Promise<Side> => {
    const cache = new CacheLine(server)
    const primary = faultyBackend(databases[0])
    const backup = faultyBackend(databases[1])
    const history = await openChatHistory({
      primary,
      backup,
      cache,
      wal: `file:${join(directory, name)}`,
      read: { type: 'cache-enhanced', config: { cacheTimeout: 50 } },
      drainTimeout: 100,
      ...options,
      ...more,
    })
    onTestFinished(() => history.close())
    return { history, cache, primary, backup }
  }
  return { a: await open('a', ofA), b: await open('b') }
}

async function say({ history }: Side, content: string): Promise<void> {
  await history.saveMessage('c', { role: 'user', content })
}

async function read({ history }: Side): Promise<unknown[]> {
  return (await history.getHistory('c')).messages.map(({ content }) => content)
}

async function hits({ history }: Side): Promise<number> {
  return history.status().cache!.hits
}

test('a second read is served by the cache, and a save of another process is in the third', async () => {
  const { a, b } = await sides()
  await say(a, '1')
  expect(await read(b)).toEqual(['1'])
  const before = await hits(b)
  expect(await read(b)).toEqual(['1'])
  expect(await hits(b)).toBe(before + 1)
  await say(a, '2')
  expect(await read(b)).toEqual(['1', '2'])
  expect(await read(a)).toEqual(['1', '2'])
})

// Found by the simulation: what came from a cache was not observed.
test('who has read a message in a cache, or a value, writes after it, however far its clock was ahead', async () => {
  let aheadMs = 0
  const env = { ...nodeEnv(), now: () => Date.now() + aheadMs }
  const { a, b } = await sides({}, { env })
  aheadMs = 3_600_000
  // It could have slept: its hints are fetched anew before the cache is used again.
  await read(a)
  await say(a, '1')
  await a.history.store.set('value', 'old')
  expect(await read(a)).toEqual(['1'])
  expect(await a.history.store.get('value')).toBe('old')
  const before = await hits(b)
  expect(await read(b)).toEqual(['1'])
  expect(await b.history.store.get('value')).toBe('old')
  expect(await hits(b)).toBe(before + 2)
  await say(b, '2')
  expect(await read(b)).toEqual(['1', '2'])
  await b.history.store.set('value', 'new')
  expect(await b.history.store.get('value')).toBe('new')
})

test('a page that this process keeps itself is given up when another one clears or edits', async () => {
  const { a, b } = await sides({
    read: { type: 'cache-enhanced', config: { localEntries: 100 } },
  })
  const { id } = await a.history.saveMessage('c', { role: 'user', content: 'draft' })
  expect(await read(b)).toEqual(['draft'])
  const before = await hits(b)
  expect(await read(b)).toEqual(['draft'])
  expect(await hits(b)).toBe(before + 1)
  await a.history.updateMessage('c', id, { role: 'user', content: 'final' })
  expect(await read(b)).toEqual(['final'])
  await a.history.clearHistory('c')
  expect(await read(b)).toEqual([])
})

test('a page that this process keeps itself is a copy for each reader', async () => {
  const { b } = await sides({ read: { type: 'cache-enhanced', config: { localEntries: 100 } } })
  await b.history.saveMessage('c', { role: 'user', content: 'plain' })
  await b.history.saveMessage('c', { role: 'user', content: [{ type: 'text', text: 'nested' }] })
  const page = async () => (await b.history.getHistory('c')).messages
  const first = await page()
  const before = await hits(b)
  for (let round = 0; round < 3; round++) {
    const messages = await page()
    expect(messages).toEqual(first)
    Object.assign(messages[0]!, { content: 'changed', more: true })
    Object.assign((messages[1]!.content as object[])[0]!, { text: 'changed' })
  }
  expect(await hits(b)).toBe(before + 3)
})

test('a fill that began before a clear and ends after it is not believed', async () => {
  const { a, b } = await sides()
  await say(a, 'old')
  let release = (): void => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  const set = b.cache.set.bind(b.cache)
  b.cache.set = async (key: string, value: unknown, ttl?: number) => {
    // Only the page is late; tags go through.
    if (key.includes(':window:')) await held
    await set(key, value, ttl)
  }
  const slow = read(b)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await a.history.clearHistory('c')
  release()
  await slow
  expect(await read(b)).toEqual([])
  expect(await read(a)).toEqual([])
})

test('a page that was read before a save and is stored after it is not believed', async () => {
  const { a, b } = await sides()
  await say(a, 'old')
  let release = (): void => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  let isRead = false
  // The answer of the database is late.
  b.primary.readItems = async function (this: DurableMemoryBackend, query) {
    const page = await DurableMemoryBackend.prototype.readItems.call(this, query)
    isRead = true
    await held
    return page
  }
  // Nobody else answers meanwhile.
  b.backup.setMode('refused')
  const slow = read(b)
  await expect.poll(() => isRead).toBe(true)
  await say(a, 'new')
  release()
  await slow
  b.backup.setMode('up')
  expect(await read(b)).toEqual(['old', 'new'])
})

test('a writer that has lost the cache acknowledges nothing that others would not see', async () => {
  const { a, b } = await sides()
  await say(a, '0')
  expect(await read(b)).toEqual(['0'])
  expect(await read(b)).toEqual(['0'])
  a.cache.isCut = true
  // The second save does not overtake the warning that the first one waits for.
  const first = say(a, '1')
  await new Promise((resolve) => setTimeout(resolve, 100))
  await say(a, '2')
  expect(await read(b)).toEqual(['0', '1', '2'])
  await first
  await a.history.clearHistory('c')
  expect(await read(b)).toEqual([])
  expect(a.history.status().cache!.state).toBe('out')
})

test('a save that the cache was not told of is acknowledged once readers are warned, and not before', async () => {
  const { a, b } = await sides()
  a.cache.isCut = true
  a.backup.onCall(async (operation) => {
    if (operation === 'apply') await new Promise((resolve) => setTimeout(resolve, 100))
  })
  await say(a, '0')
  const { hints } = await b.backup.readState('nobody')
  expect(hints).toEqual([expect.objectContaining({ writer: expect.stringMatching(/\/cache$/) })])
})

// Found by the simulation: a reconcile took the warning for a hint that the primary lacks something.
test('a reconcile does not take back the warning of a writer that has lost the cache', async () => {
  const { a, b } = await sides()
  await say(a, '0')
  a.cache.isCut = true
  await say(a, '1')
  await b.history.reconcile()
  const { hints } = await b.backup.readState('nobody')
  expect(hints).toEqual([expect.objectContaining({ writer: expect.stringMatching(/\/cache$/) })])
  // Until b has asked for the hints again, and again.
  const asked = (): number => b.backup.calls.get('readState') ?? 0
  const before = asked()
  await expect.poll(asked, { timeout: 10_000 }).toBeGreaterThan(before + 1)
  expect(await read(b)).toEqual(['0', '1'])
  await say(a, '2')
  expect(await read(b)).toEqual(['0', '1', '2'])
  expect(a.history.status().cache!.state).toBe('out')
})

test('without the cache saves cost one delay and then nothing, and it is used again later', async () => {
  const { a, b } = await sides()
  await say(a, '0')
  a.cache.isCut = true
  await say(a, '1')
  const calls = a.cache.reads
  for (let i = 2; i < 10; i++) await say(a, `${i}`)
  await read(a)
  expect(a.cache.reads).toBe(calls)
  a.cache.isCut = false
  await expect.poll(() => a.history.status().cache!.state, { timeout: 10_000 }).toBe('on')
  await say(a, '10')
  expect(await read(b)).toHaveLength(11)
  await expect
    .poll(
      async () => {
        await read(b)
        return await hits(b)
      },
      { timeout: 10_000 },
    )
    .toBeGreaterThan(0)
})

test('pages from before an outage of the cache are not believed after it', async () => {
  const { a, b } = await sides()
  await say(a, '0')
  for (let i = 0; i < 2; i++) expect(await read(b)).toEqual(['0'])
  a.cache.isCut = true
  await say(a, '1')
  a.cache.isCut = false
  await expect.poll(() => a.history.status().cache!.state, { timeout: 10_000 }).toBe('on')
  const before = await hits(b)
  await expect
    .poll(
      async () => {
        expect(await read(b)).toEqual(['0', '1'])
        return await hits(b)
      },
      { timeout: 10_000 },
    )
    .toBeGreaterThan(before)
})

// Found by the simulation: nobody tried again.
test('a cache that was away at the start is used as soon as it is there', async () => {
  const { a } = await sides()
  const server = new MemoryCache()
  const cache = new CacheLine(server)
  cache.isCut = true
  const history = await openChatHistory({
    primary: a.primary,
    backup: a.backup,
    cache,
    wal: 'memory:',
    read: 'cache-enhanced',
  })
  onTestFinished(() => history.close())
  await history.saveMessage('c', { role: 'user', content: '0' })
  expect(history.status().cache!.state).toBe('out')
  await server.connect()
  cache.isCut = false
  await expect.poll(() => history.status().cache!.state, { timeout: 20_000 }).toBe('on')
})

test('with the cache and the backup out of reach a save is acknowledged all the same', async () => {
  const { a } = await sides()
  await say(a, '0')
  a.cache.isCut = true
  a.backup.setMode('refused')
  const receipt = await a.history.saveMessage('c', { role: 'user', content: '1' })
  expect(receipt.copies).toEqual(['primary', 'wal'])
  expect(await read(a)).toEqual(['0', '1'])
})

test('a writer that does not read through the cache renews it for those that do', async () => {
  const { b } = await sides()
  const { a } = { a: await plainWriter(b) }
  await say(b, '1')
  expect(await read(b)).toEqual(['1'])
  expect(await read(b)).toEqual(['1'])
  await a.saveMessage('c', { role: 'user', content: '2' })
  expect(await read(b)).toEqual(['1', '2'])
})

/** Another process on the same places as this side, with default reads. */
async function plainWriter({ primary, backup, cache }: Side): Promise<ChatHistory> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  const history = await openChatHistory({ primary, backup, cache, wal: `file:${directory}` })
  onTestFinished(async () => {
    await history.close()
    await rm(directory, { recursive: true, force: true })
  })
  return history
}

test('a list of hints that is believed for a while is as old as the sleep of the machine', async () => {
  const server = new MemoryCache()
  await server.connect()
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  const common = {
    primary,
    backup,
    wal: 'memory:',
    drainTimeout: 100,
    read: { type: 'cache-enhanced', config: { maxHintAge: 1_000 } },
  } as const
  const line = new CacheLine(server)
  const writer = await openChatHistory({ ...common, cache: line })
  onTestFinished(() => writer.close())
  // Its clocks stand still, as those of a machine that sleeps.
  const env = virtualEnv({ startMs: Date.now() })
  const sleeper = await env.drive(
    openChatHistory({ ...common, cache: new CacheLine(server), env, reconcile: false }),
  )
  onTestFinished(() => env.drive(sleeper.close()))
  await writer.saveMessage('c', { role: 'user', content: '1' })
  await writer.flush()
  for (let i = 0; i < 2; i++) await env.drive(sleeper.getHistory('c'))
  expect(sleeper.status().cache!.hits).toBe(1)
  line.isCut = true
  await writer.saveMessage('c', { role: 'user', content: '2' })
  env.jumpWallClock(5_000)
  const { messages, complete } = await env.drive(sleeper.getHistory('c'))
  expect(complete).toBe(true)
  expect(messages.map(({ content }) => content)).toEqual(['1', '2'])
})
