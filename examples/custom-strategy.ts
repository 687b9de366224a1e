// Strategies of your own: a name, a configuration and `execute`. They serve `get`, `set` and `delete` of
// single values; what they cannot do is written at `ReadStrategy` and `WriteStrategy`. PRIMARY_URL and
// BACKUP_URL name others than files below ./data.
import {
  StrategicStorageManager,
  StrategyFactory,
  isStorageError,
  type ReadStrategy,
  type StoreManagers,
  type WALManager,
  type WriteStrategy,
} from 'everthread'

/** Looks into the cache, then into the primary, then into the backup. */
class CacheThenDatabases implements ReadStrategy {
  readonly name = 'cache-then-databases'
  readonly config: { readonly ttlSeconds: number }

  constructor(config = { ttlSeconds: 60 }) {
    this.config = config
  }

  async execute(key: string, { primary, backup, cache }: StoreManagers): Promise<unknown> {
    const cached = await cache?.getBackends()?.cache.get(key)
    if (cached !== undefined) return cached
    // Null while a place is away: the other one is asked then, and an outage never reads as absence.
    const databases = [primary, backup].flatMap((manager) => manager?.getBackends() ?? [])
    const failures: unknown[] = []
    for (const { database } of databases) {
      try {
        const found = await database.get(key)
        if (found === undefined) continue
        await cache?.getBackends()?.cache.set(key, found, this.config.ttlSeconds)
        return found
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0 || databases.length === 0) throw new AggregateError(failures)
    return undefined
  }
}

/** The log first, which brings the value to both databases; the cache forgets what it has. */
class LogFirst implements WriteStrategy {
  readonly name = 'log-first'
  readonly config = {}

  async execute(
    key: string,
    value: unknown,
    { cache }: StoreManagers,
    walManager?: WALManager,
  ): Promise<void> {
    if (walManager === undefined) throw new Error('this strategy needs a log')
    await walManager.append({ key, value })
    await cache?.getBackends()?.cache.delete(key)
  }
}

const store = new StrategicStorageManager(
  {
    primary: { database: process.env['PRIMARY_URL'] ?? 'sqlite:./data/custom-a.db' },
    backup: { database: process.env['BACKUP_URL'] ?? 'sqlite:./data/custom-b.db' },
    cache: { cache: { type: 'in-memory' } },
  },
  new CacheThenDatabases(),
  new LogFirst(),
  StrategyFactory.createHealthManager('simple'),
  StrategyFactory.createWALManager('file', { filePath: './data/custom-wal', gatherMs: 0 }),
)
await store.connect()
try {
  await store.set('k', { n: 1 })
  await store.flushWAL()
  console.log('get:', await store.get('k'), '| strategies:', store.status().strategies)
  const databases = [store.getBackends('primary'), store.getBackends('backup')]
  for (const backends of databases) console.log(await backends?.database.get('k'))
  await store.delete('k')
  await store.flushWAL()
  console.log('after delete:', await store.get('k'))
  await store.append('list', 1).catch((error: unknown) => {
    if (!isStorageError(error, 'UNSUPPORTED')) throw error
    console.log('lists:', error.message)
  })
} finally {
  await store.disconnect()
}
