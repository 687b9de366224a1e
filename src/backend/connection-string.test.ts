import { describe, expect, test } from 'vitest'
import { isStorageError } from '../core/errors.ts'
import { parseCacheString, parseDatabaseString, parseWalString } from './connection-string.ts'

function messageFrom(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isStorageError(error, 'INVALID_ARGUMENT')) return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parseDatabaseString', () => {
  test.each([
    ['postgres://localhost/app', 'postgresql'],
    ['postgresql://user:p%40ss@db.example:6543/app?sslmode=require', 'postgresql'],
    ['PostgreSQL://localhost', 'postgresql'],
    ['redis://localhost:6379', 'redis'],
    ['rediss://:secret@cache:6380/1', 'redis'],
    ['s3://bucket/prefix?region=eu-central-1', 's3'],
  ])('keeps the url of %s as it was written', (url, type) => {
    expect(parseDatabaseString(url, 'primary')).toEqual({ type, url })
  })

  test.each([
    ['sqlite:./data/a.db', './data/a.db'],
    ['sqlite:/var/data/a.db', '/var/data/a.db'],
    ['sqlite:///var/data/a.db', '/var/data/a.db'],
    ['sqlite://data/a.db', 'data/a.db'],
    ['sqlite::memory:', ':memory:'],
    ['sqlite:a b%20c#d.db', 'a b%20c#d.db'],
    ['file:data.db', 'data.db'],
    ['file:///var/a%20b.db', '/var/a b.db'],
  ])('reads the path out of %s', (text, path) => {
    expect(parseDatabaseString(text, 'primary')).toEqual({ type: 'sqlite', path })
  })

  test('memory: is the in-memory database, with nothing after it', () => {
    expect(parseDatabaseString('memory:', 'primary')).toEqual({ type: 'in-memory' })
    expect(messageFrom(() => parseDatabaseString('memory:x', 'primary'))).toContain('primary')
  })

  test.each([
    'host=db user=me password=hunter2',
    'postgres:hunter2@db/app',
    'postgresql://me:hunter2@db:port/app',
    'postgresql://me:hunt/er#2@db/app:x@',
    'mysql://me:hunter2@db/app',
    'memcached://hunter2:11211',
    'sqlite:hunter2.db?mode=ro',
    'sqlite:',
    'file://hunter2/share/a.db',
    's3://',
    '',
  ])('refuses %j, names the field and shows nothing of the text', (text) => {
    const message = messageFrom(() => parseDatabaseString(text, 'primary'))
    expect(message).toMatch(/^primary /)
    expect(message).not.toMatch(/hunt/)
  })

  test('refuses what is not text', () => {
    const wrong = undefined as unknown as string
    expect(messageFrom(() => parseDatabaseString(wrong, 'backup'))).toContain('got undefined')
  })
})

test('a cache is memory, redis or memcached', () => {
  expect(parseCacheString('memory:', 'cache')).toEqual({ type: 'in-memory' })
  expect(parseCacheString('redis://a', 'cache')).toEqual({ type: 'redis', url: 'redis://a' })
  const memcached = { type: 'memcached', url: 'memcached://a:11211' }
  expect(parseCacheString('memcached://a:11211', 'cache')).toEqual(memcached)
  expect(messageFrom(() => parseCacheString('sqlite:a.db', 'cache'))).toContain('"sqlite:"')
})

test('a write-ahead log is a directory, memory or a redis stream', () => {
  expect(parseWalString('file:./data/wal', 'wal')).toEqual({ type: 'file', filePath: './data/wal' })
  expect(parseWalString('memory:', 'wal')).toEqual({ type: 'in-memory' })
  const stream = { type: 'redis-stream', url: 'redis://:pw@a:6379/2' }
  expect(parseWalString('redis-stream://:pw@a:6379/2', 'wal')).toEqual(stream)
  const secure = { type: 'redis-stream', url: 'rediss://a' }
  expect(parseWalString('rediss-stream://a', 'wal')).toEqual(secure)
  for (const text of ['redis-stream:', 'redis-stream:a', 'redis://a', 'file:']) {
    expect(messageFrom(() => parseWalString(text, 'wal'))).toMatch(/^wal /)
  }
})
