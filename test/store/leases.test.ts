// Goal: a lease of a key has one holder, ends by itself, and its tokens only grow; rows that nobody uses go.
// Method: stores on backends that can be cut off, by a clock that is moved, and rows that are made old.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { openChatHistory, type StrategicStorageManager } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { MapBackend } from '../../src/testing/map-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { openPostgres, postgresUrl } from '../support/postgres-backend.ts'
import { hasRedis, startRedis } from '../support/redis-server.ts'

const DAY = 86_400_000

interface Rig {
  readonly env: VirtualEnv
  readonly primary: FaultyBackend
  readonly open: () => Promise<StrategicStorageManager>
}

function rig(): Rig {
  const env = virtualEnv()
  const primary = faultyBackend(new DurableMemoryBackend(env))
  const backup = faultyBackend(new DurableMemoryBackend(env))
  const open = async (): Promise<StrategicStorageManager> => {
    const history = await env.drive(openChatHistory({ env, primary, backup, wal: 'memory:' }))
    onTestFinished(() => env.drive(history.close()))
    return history.store
  }
  return { env, primary, open }
}

test('what was given back is not taken again by a timer that goes on extending', async () => {
  const { env, primary, open } = rig()
  const store = await open()
  const lease = (await env.drive(store.lease('k', 1_000)))!
  let go = (): void => {}
  let isFirst = true
  const held = new Promise<void>((resolve) => (go = resolve))
  primary.onCall(async (name) => {
    if (name !== 'lease' || !isFirst) return
    isFirst = false
    await held
  })
  const extended = lease.extend(60_000)
  const released = lease.release()
  go()
  expect(await env.drive(Promise.all([extended, released]))).toEqual([true, undefined])
  expect(await env.drive(lease.extend(60_000))).toBe(false)
  const next = (await env.drive(store.lease('k', 1_000)))!
  expect(next.token).toBeGreaterThan(lease.token)
})

test('one holder at a time, of one process too, until it is given back or ends', async () => {
  const { env, open } = rig()
  const [one, other] = [await open(), await open()]
  const first = (await env.drive(one.lease('k', 1_000)))!
  expect(first.key).toBe('k')
  expect(await env.drive(one.lease('k', 1_000))).toBeNull()
  expect(await env.drive(other.lease('k', 1_000))).toBeNull()
  expect(await env.drive(other.lease('another', 1_000))).not.toBeNull()
  await env.drive(first.release())
  const second = (await env.drive(other.lease('k', 1_000)))!
  expect(second.token).toBeGreaterThan(first.token)
  expect(await env.drive(first.extend(1_000))).toBe(false)
  // A late giving back takes nothing from who has it.
  await env.drive(first.release())
  expect(await env.drive(one.lease('k', 1_000))).toBeNull()
  await env.advance(1_001)
  const third = (await env.drive(one.lease('k', 1_000)))!
  expect(third.token).toBeGreaterThan(second.token)
  expect(await env.drive(second.extend(1_000))).toBe(false)
  expect(await env.drive(third.extend(60_000))).toBe(true)
  await env.advance(30_000)
  expect(await env.drive(other.lease('k', 1_000))).toBeNull()
})

test('await using gives it back', async () => {
  const { env, open } = rig()
  const store = await open()
  {
    await using lease = (await env.drive(store.lease('k', 60_000)))!
    expect(lease.token).toBeGreaterThan(0)
  }
  expect(await env.drive(store.lease('k', 1_000))).not.toBeNull()
})

test('keys of any length have leases of their own', async () => {
  const { env, open } = rig()
  const store = await open()
  const keys = ['k'.repeat(1_024), `${'k'.repeat(1_023)}l`, 'é'.repeat(512), 'reconcile']
  for (const key of keys) expect(await env.drive(store.lease(key, 1_000))).not.toBeNull()
  for (const key of keys) expect(await env.drive(store.lease(key, 1_000))).toBeNull()
  // The store's own work is not held up by one of that name.
  expect(await env.drive(store.reconcile())).toMatchObject({ scope: 'full' })
})

test('without the primary nobody decides', async () => {
  const { env, open, primary } = rig()
  const store = await open()
  const lease = (await env.drive(store.lease('k', 60_000)))!
  primary.setMode('refused')
  const out = { code: 'UNAVAILABLE', place: 'primary' }
  for (let i = 0; i < 5; i++) {
    await expect(env.drive(store.lease('k', 1_000))).rejects.toMatchObject(out)
    await expect(env.drive(lease.extend(1_000))).rejects.toMatchObject(out)
    await env.advance(1_000)
  }
  primary.setMode('up')
  await env.advance(10_000)
  expect(await env.drive(lease.extend(1_000))).toBe(true)
})

test('an engine without leases says so, and what cannot be kept is refused', async () => {
  const history = await openChatHistory({
    primary: new MapBackend(),
    backup: new MemoryBackend(),
    wal: 'memory:',
  })
  onTestFinished(() => history.close())
  const { store } = history
  await expect(store.lease('k', 1)).rejects.toMatchObject({ code: 'UNSUPPORTED', effect: 'none' })
  for (const [key, ttlMs] of [
    ['', 1],
    ['k'.repeat(1_025), 1],
    ['k', 0],
    ['k', 600_001],
    ['k', 1.5],
  ] as const) {
    await expect(store.lease(key, ttlMs)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
  await history.close()
  await expect(store.lease('k', 1)).rejects.toMatchObject({ code: 'CLOSED' })
})

test('in memory a lease that nobody has used for a day is forgotten, and its token is not', async () => {
  const env = virtualEnv()
  const backend = new MemoryBackend(env)
  await backend.connect()
  const take = (name: string): Promise<unknown> =>
    backend.lease({ name, holder: 'one', ttlMs: 1_000 })
  const first = (await take('key/a')) as { readonly token: number }
  await backend.lease({ name: 'work', holder: 'one', ttlMs: 1_000, note: 'stays' })
  env.jumpWallClock(2 * DAY)
  await take('key/b')
  expect(await take('work')).toMatchObject({ note: 'stays' })
  const later = (await take('key/a')) as { readonly token: number }
  expect(later.token).toBeGreaterThan(first.token)
})

/** Each engine with a way to make its leases old, and to name them. */
interface OldLeases {
  readonly backend: ReplicaBackend
  readonly age: () => Promise<unknown>
  readonly names: () => Promise<readonly string[]>
}

const ENGINES: readonly (readonly [string, boolean, () => Promise<OldLeases>])[] = [
  ['sqlite', true, sqlite],
  ['postgresql', postgresUrl !== undefined, postgres],
  ['redis', hasRedis, redis],
]

for (const [name, isThere, openEngine] of ENGINES) {
  test.runIf(isThere)(
    `${name}: rows of leases that nobody has used for a day go, and no others`,
    async () => {
      const { backend, age, names } = await openEngine()
      const take = (lease: string, ttlMs = 1): Promise<unknown> =>
        backend.lease!({ name: lease, holder: 'one', ttlMs, note: 'note' })
      for (let i = 0; i < 20; i++) await take(`key/${i}`)
      await take('key#hash')
      await take('reconcile')
      await take('keys of the store')
      await age()
      // Each one that is taken removes some.
      for (let i = 0; i < 30; i++) await take(`key/new ${i}`, 60_000)
      const left = await names()
      expect(left.filter((each) => /^key[/#]/.test(each) && !each.includes('new'))).toEqual([])
      expect(left.filter((each) => each.includes('new'))).toHaveLength(30)
      expect(left).toEqual(expect.arrayContaining(['keys of the store', 'reconcile']))
      expect(await take('key/0')).toEqual({ token: expect.any(Number) as number, note: 'note' })
    },
  )
}

async function sqlite(): Promise<OldLeases> {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-leases-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const env = virtualEnv()
  const backend = new SqliteBackend({ path: join(directory, 'l.db'), threads: false }, env)
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  return {
    backend,
    age: async () => env.jumpWallClock(2 * DAY),
    names: async () => {
      const file = (await loadSqliteDriver()).open(join(directory, 'l.db'))
      const rows = file.prepare('SELECT name FROM everthread_leases').all()
      file.close()
      return (rows as { readonly name: string }[]).map(({ name }) => name)
    },
  }
}

async function postgres(): Promise<OldLeases> {
  const { Client } = (await import('pg')).default
  const schema = `leases_${process.pid}`
  const backend = await openPostgres({ schema })
  const client = new Client(postgresUrl)
  await client.connect()
  onTestFinished(() => client.end())
  const table = `${schema}.everthread_leases`
  return {
    backend,
    age: () => client.query(`UPDATE ${table} SET expires_ms = expires_ms - ${2 * DAY}`),
    names: async () => {
      const { rows } = await client.query<{ name: string }>(`SELECT name FROM ${table}`)
      return rows.map(({ name }) => name)
    },
  }
}

async function redis(): Promise<OldLeases> {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const backend = new RedisDatabaseBackend({ url: server.url })
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  const client = createClient({ url: server.url })
  await client.connect()
  onTestFinished(() => client.close())
  const hash = async (): Promise<string> =>
    (await client.keys('*')).find((key) => key.endsWith('leases'))!
  const fields = async (): Promise<string[]> =>
    (await client.hKeys(await hash())).filter((field) => field.startsWith('expires:'))
  return {
    backend,
    age: async () => {
      for (const field of await fields()) await client.hSet(await hash(), field, '1')
    },
    names: async () => (await fields()).map((field) => field.slice('expires:'.length)),
  }
}
