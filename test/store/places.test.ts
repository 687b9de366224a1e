// Goal: a place may be given as `{ database, cache }`, a log as `{ type, config }`, beside the shorter
// forms. Method: stores on memory and SQLite that are given each form.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core.ts'
import {
  openChatHistory,
  StrategicStorageManager,
  StrategyFactory,
  type ChatHistoryOptions,
  type Logger,
  type StrategicStorageConfig,
} from '../../src/index.ts'
import { MemoryCache } from '../../src/backend/memory/memory-cache.ts'
import { sqliteFile } from '../../src/backend/sqlite/connection/options.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everthread-places-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('each place may be given by its parts', async () => {
  const history = await openChatHistory({
    primary: { database: { type: 'sqlite', path: folder, database: 'primary.db' } },
    backup: { database: `sqlite:${join(folder, 'backup.db')}`, cache: { type: 'in-memory' } },
    cache: { cache: { type: 'in-memory' } },
    wal: { type: 'file', config: { filePath: join(folder, 'wal'), flushIntervalMs: 100 } },
    read: { type: 'cache-enhanced', config: { singleProcess: true } },
  })
  onTestFinished(() => history.close())
  await history.saveMessage('c', { role: 'user', content: 'Hello' })
  await history.flush()
  const { messages } = await history.getHistory('c')
  expect(messages.map(({ content }) => content)).toEqual(['Hello'])
  expect(history.status()).toMatchObject({
    overall: 'ok',
    places: { primary: { type: 'sqlite' }, backup: { type: 'sqlite' } },
    wal: { type: 'file', durable: true },
  })
})

test('the cache of the primary is the one that reads use where no other is given', async () => {
  const cache = new MemoryCache()
  const store = storeOf({ primary: { database: 'memory:', cache }, backup: 'memory:' })
  onTestFinished(() => store.disconnect())
  await store.connect()
  await store.set('k', 1)
  await store.flushWAL()
  await store.get('k')
  expect(cache.size).toBeGreaterThan(0)
})

test('a cache in memory that others could make untrue is passed by, which is said once', async () => {
  const lines: string[] = []
  const warn = (_fields: object, message: string): void => void lines.push(message)
  const logger: Logger = { debug: () => {}, info: () => {}, warn, error: warn }
  const env = nodeEnv({ logger })
  const history = await openChatHistory({
    primary: 'memory:',
    backup: 'memory:',
    cache: 'memory:',
    wal: 'memory:',
    read: 'cache-enhanced',
    env,
  })
  onTestFinished(() => history.close())
  await history.saveMessage('c', { role: 'user', content: 'Hello' })
  expect((await history.getHistory('c')).messages).toHaveLength(1)
  expect(lines.filter((line) => line.includes('pass a cache in memory by'))).toHaveLength(1)
  expect(history.status().cache).toBeUndefined()
})

test.each<[Record<string, unknown>, string]>([
  [{ primary: { database: 'memory:', chace: 'memory:' } }, 'primary.chace is not known'],
  [{ primary: { type: 'postgresql', port: 0 } }, 'primary.port must be an integer'],
  [{ backup: { database: { type: 'redis', db: -1 } } }, 'backup.database.db must be'],
  [{ primary: { database: 'memory:', cache: 'x' } }, 'primary.cache must start with a scheme'],
  [{ cache: { type: 'redis', prot: 1 } }, 'cache.prot is not known; did you mean port?'],
  [{ primary: { cache: 'memory:' } }, 'primary.database must be given'],
  [{ cache: { caches: 'memory:' } }, 'cache.caches is not known; did you mean cache?'],
  [{ wal: { type: 'file', config: { filepath: 'x' } } }, 'did you mean filePath?'],
  [{ wal: { type: 'file', config: { filePath: '' } } }, 'wal.config.filePath must not be empty'],
  [{ wal: { type: 'file', config: 7 } }, 'wal.config must be an object'],
  [{ wal: { type: 'file', config: {}, filePath: 'x' } }, 'wal.filePath is not known'],
  [{ wal: { type: 'in-memory', batchEntries: -5 } }, 'wal.batchEntries must be an integer'],
  [{ wal: { type: 'in-memory', config: { onWalDown: 'ignore' } } }, 'wal.config.onWalDown must be'],
  [{ primary: 'sqlite:./a.db', backup: { database: 'sqlite:./a.db' } }, 'two databases'],
  [{ read: { type: 'failover', config: { enableCacheMerge: 1 } } }, 'read.config.enableCacheMerge'],
])('%j is refused before anything is opened', async (options, message) => {
  const given = { primary: 'memory:', backup: 'memory:', wal: 'memory:', ...options }
  await expect(openChatHistory(given as ChatHistoryOptions)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(message) as string,
  })
})

test.each(['primary-first', 'failover', 'cache-enhanced'] as const)(
  '%s takes the same configuration as every other read strategy',
  (type) => {
    const config = {
      treatEmptyAsFailure: true,
      maxRetries: 2,
      retryDelay: 10,
      enableCacheMerge: false,
      timeout: 1_000,
    }
    expect(() => StrategyFactory.createReadStrategy({ type, config })).not.toThrow()
  },
)

test('the file of a SQLite database is a path, or a folder and a name', () => {
  expect(sqliteFile({ path: 'data/a.db' })).toBe('data/a.db')
  expect(sqliteFile({ path: 'data', database: 'a.db' })).toBe(join('data', 'a.db'))
  expect(() => sqliteFile({ path: 'data', database: '../a.db' })).toThrow('database must be a name')
  expect(() => sqliteFile({ path: ':memory:', database: 'a.db' })).toThrow('database')
  expect(() => sqliteFile({ database: 'a.db' })).toThrow('path must be given')
})

function storeOf(config: StrategicStorageConfig): StrategicStorageManager {
  return new StrategicStorageManager(
    config,
    StrategyFactory.createReadStrategy({
      type: 'cache-enhanced',
      config: { singleProcess: true },
    }),
    StrategyFactory.createWriteStrategy(),
    StrategyFactory.createHealthManager(),
    StrategyFactory.createWALManager({ type: 'in-memory' }),
  )
}
