// One place: a database and the cache in front of it. DATABASE_URL and CACHE_URL name others than a file
// below ./data and memory.
import { StorageManager, isStorageError } from 'everthread'

const manager = new StorageManager({
  cache: process.env['CACHE_URL'] ?? { type: 'in-memory' },
  database: process.env['DATABASE_URL'] ?? { type: 'sqlite', path: './data', database: 'one.db' },
})
console.log('before connect:', manager.getBackends(), manager.isConnected())

const { cache, database } = await manager.connect()
try {
  await database.set('greeting', { text: 'Hello' })
  await cache.set('greeting', { text: 'Hello' }, 60)
  console.log('database:', await database.get('greeting'), '| cache:', await cache.get('greeting'))
  await database.delete('greeting')
  await database.delete('list')
  for (const word of ['one', 'two', 'three']) await database.append('list', word)
  console.log('list:', await database.getRange<string>('list', -2, 2))

  const { connected, backends, connectionAttempts, lastError } = manager.getInfo()
  console.log('connected:', connected, connectionAttempts, lastError ?? 'no error')
  console.log('fallback:', backends.cache.fallback, backends.database.fallback)
  const health = await manager.healthCheck()
  console.log('healthy:', health.overall, health.details.database.status)
  console.log('frozen:', Object.isFrozen(manager.getConfig()))
} finally {
  await manager.disconnect()
}
console.log('after disconnect:', manager.getBackends(), manager.isConnected())

// What cannot work is refused at once, by its path, and before anything is opened.
try {
  console.log(new StorageManager({ database: { type: 'postgresql', port: 70_000 } }))
} catch (error) {
  if (!isStorageError(error, 'INVALID_ARGUMENT')) throw error
  console.log('refused:', error.message)
}
