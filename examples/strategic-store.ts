// Values in two databases and a log, with strategies that are chosen by name: `npm run build`, then compile
// this file or run it with a loader for TypeScript. Everything is kept below ./data unless PRIMARY_URL,
// BACKUP_URL and CACHE_URL name other places.
import {
  StrategicStorageManager,
  StrategyFactory,
  type StrategicStorageConfig,
  type StrategySetConfig,
} from 'everthread'

interface Settings {
  readonly theme: 'dark' | 'light'
}

const environment = process.env
const config: StrategicStorageConfig = {
  primary: {
    database: environment['PRIMARY_URL'] ?? { type: 'sqlite', path: './data', database: 'a.db' },
  },
  backup: {
    database: environment['BACKUP_URL'] ?? { type: 'sqlite', path: './data', database: 'b.db' },
  },
  cache: { cache: environment['CACHE_URL'] ?? { type: 'in-memory', maxEntries: 1_000 } },
}
const strategies: StrategySetConfig = {
  read: { type: 'primary-first', config: { timeout: 2_000, enableCacheMerge: true } },
  write: { type: 'idempotent', config: { enableIdempotency: true, timeout: 5_000 } },
  health: { type: 'circuit-breaker', config: { failureThreshold: 3, healthCheckInterval: 1_000 } },
  wal: { type: 'file', config: { filePath: './data/wal', flushIntervalMs: 1_000 } },
}

const { readStrategy, writeStrategy, healthManager, walManager } =
  await StrategyFactory.createStrategySet(strategies)
const store = new StrategicStorageManager(
  config,
  readStrategy,
  writeStrategy,
  healthManager,
  walManager,
)
await store.connect()
try {
  const { copies } = await store.set<Settings>('settings:1', { theme: 'dark' })
  console.log(`set: ${copies.join(' and ')} have it`)
  await store.mset({ 'settings:2': { theme: 'light' }, 'settings:3': { theme: 'dark' } })

  const one = await store.get<Settings>('settings:1')
  const several = await store.mget<Settings>(['settings:2', 'settings:3', 'settings:4'])
  console.log('get:', one?.theme, '| mget:', Object.keys(several).join(', '))

  await store.delete('settings:3')
  console.log('exists after delete:', await store.exists('settings:3'))

  await store.flushWAL()
  const backup = store.getBackends('backup')?.database
  console.log('the backup has it too:', (await backup?.get<Settings>('settings:1'))?.theme)

  const { connected, backends, walStats } = store.getHealthStatus()
  console.log('connected:', connected)
  console.log('healthy:', backends.primary.healthy, backends.backup.healthy)
  console.log('owed by memory:', walStats.owedGroups, '| cleaned:', await store.cleanupWAL())
  for (const [place, manager] of Object.entries(store.getStorageManagers())) {
    console.log(`${place}: ${manager.getInfo().backends.database.type}`)
  }
} finally {
  await store.disconnect()
}
console.log('backends after disconnect:', store.getBackends())
