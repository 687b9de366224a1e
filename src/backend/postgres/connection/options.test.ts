import { expect, test } from 'vitest'
import { resolvePostgresOptions } from './options.ts'

test('a URL gives every field, decoded', () => {
  const { connection } = resolvePostgresOptions({
    url: 'postgres://us%40er:p%3Ass@db.example.com:6432/my%2Fbase?sslmode=verify-full',
  })
  expect(connection).toEqual({
    host: 'db.example.com',
    port: 6432,
    user: 'us@er',
    password: 'p:ss',
    database: 'my/base',
    ssl: { rejectUnauthorized: true },
  })
})

test('fields beside a URL win over it, undefined ones do not', () => {
  const { connection } = resolvePostgresOptions({
    url: 'postgres://a@h1/db',
    host: 'h2',
    user: undefined as never,
  })
  expect([connection.host, connection.user, connection.database]).toEqual(['h2', 'a', 'db'])
})

test.each([
  ['localhost', false],
  ['127.0.0.1', false],
  ['::1', false],
  ['/var/run/postgresql', false],
  ['db.example.com', { rejectUnauthorized: true }],
  ['10.0.0.1', { rejectUnauthorized: true }],
  // A name may begin like a loopback address.
  ['127.example.com', { rejectUnauthorized: true }],
])('without ssl %s is reached with %j', (host, ssl) => {
  expect(resolvePostgresOptions({ host }).connection.ssl).toEqual(ssl)
})

test.each(['prefer', 'require', 'verify-ca', 'verify-full'])('sslmode=%s verifies', (mode) => {
  const { connection } = resolvePostgresOptions({ url: `postgres://h/d?sslmode=${mode}` })
  expect(connection.ssl).toEqual({ rejectUnauthorized: true })
})

test('only no-verify does not verify, and disable does not encrypt', () => {
  const sslOf = (mode: string): unknown =>
    resolvePostgresOptions({ url: `postgres://h/d?sslmode=${mode}` }).connection.ssl
  expect(sslOf('no-verify')).toEqual({ rejectUnauthorized: false })
  expect(sslOf('disable')).toBe(false)
  expect(() => sslOf('allow')).toThrow('sslmode')
})

test('a Unix socket comes from the host parameter', () => {
  const { connection } = resolvePostgresOptions({ url: 'postgres:///db?host=/run/pg&port=1' })
  expect(connection).toMatchObject({ host: '/run/pg', port: 1, ssl: false })
})

test.each([
  [{ schema: 'a"b' }, 'schema'],
  [{ tablePrefix: 'x; DROP' }, 'tablePrefix'],
  [{ tablePrefix: 'p'.repeat(40) }, 'tablePrefix'],
  [{ maxConnections: 0 }, 'maxConnections'],
  [{ idleTimeoutMillis: 0 }, 'idleTimeoutMillis'],
  [{ connectionTimeoutMillis: 0 }, 'connectionTimeoutMillis'],
  [{ connectionTimeoutMillis: 1, connectTimeoutMs: 2 }, 'connectionTimeoutMillis'],
  [{ pool: { max: 0 } }, 'pool.max'],
  [{ pool: { max: 2, min: 3 } }, 'pool.min'],
  [{ pool: { acquireTimeoutMillis: -1 } }, 'pool.acquireTimeoutMillis'],
  [{ pool: { size: 1 } as never }, 'pool.size'],
  [{ pool: 7 as never }, 'pool'],
  [{ poolsize: 3 } as never, 'poolsize'],
  [{ port: 70_000 }, 'port'],
  [{ statementTimeoutMs: -1 }, 'statementTimeoutMs'],
  [{ migrate: 'always' as never }, 'migrate must be connect or never'],
  [{ url: 'postgres://h/d?sslmod=require' }, 'url.sslmod is not known; did you mean sslmode?'],
  [{ url: 'postgres://h/d?sslmode=disable&sslmode=require' }, 'url.sslmode must be given once'],
  [{ url: 'mysql://h/d' }, 'postgres://'],
  [{ url: 'postgres://a:secret@h1:1,h2:2/d' }, 'one host'],
])('%j is refused', (options, name) => {
  expect(() => resolvePostgresOptions(options)).toThrow(name)
})

test('a URL that is refused is not quoted: it may hold a password', () => {
  expect(() => resolvePostgresOptions({ url: 'postgres://a:secret@h1:1,h2:2/d' })).not.toThrow(
    /secret/,
  )
})

test('the pool has the settings of `pool`, else those beside it', () => {
  const { pool } = resolvePostgresOptions({ maxConnections: 5, idleTimeoutMillis: 7_000 })
  expect(pool).toMatchObject({ given: undefined, max: 5, min: 0, idleTimeoutMs: 7_000 })
  const settings = { max: 9, min: 2, idleTimeoutMillis: 8_000, acquireTimeoutMillis: 300 }
  expect(resolvePostgresOptions({ maxConnections: 5, pool: settings }).pool).toEqual({
    given: undefined,
    max: 9,
    min: 2,
    idleTimeoutMs: 8_000,
    acquireTimeoutMs: 300,
  })
  const own = { connect: async () => {} } as never
  expect(resolvePostgresOptions({ pool: own }).pool.given).toBe(own)
})

test('the time to connect has two names', () => {
  const of = resolvePostgresOptions({ connectionTimeoutMillis: 1_234 })
  expect(of.connectTimeoutMs).toBe(1_234)
})
