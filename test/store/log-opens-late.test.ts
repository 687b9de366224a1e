// Goal: a log that could not be opened at the start is opened as soon as it can be, whatever else
// the store waits for; one that hangs holds up nobody for ever.
// Method: a full disk at the start, and the lease of the reconciler in other hands; logs that never
// answer, in virtual time.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { CallOptions, ItemPage, ItemQuery } from '../../src/backend/replica-backend.ts'
import type { Operation } from '../../src/core/operation.ts'
import { CircuitBreakerHealthManager } from '../../src/health/circuit-breaker.ts'
import { openChatHistory, WALManager, type ChatHistory } from '../../src/index.ts'
import { StorageManager } from '../../src/manager/storage-manager.ts'
import { StrategicStorageManager } from '../../src/store/strategic-storage-manager.ts'
import { PrimaryFirstReadStrategy } from '../../src/strategy/read/primary-first.ts'
import { IdempotentWriteStrategy } from '../../src/strategy/write/idempotent.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { MemoryWal } from '../../src/wal/memory/memory-wal.ts'
import type { WalOpened } from '../../src/wal/wal.ts'
import { failingDisk } from '../fault/support/failing-disk.ts'

test('a pass that waits for its turn does not keep the log shut', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const [primary, backup] = [new DurableMemoryBackend(), new DurableMemoryBackend()]
  for (const place of [primary, backup]) await place.connect()
  // Both were written to and do not know each other: a full pass is due at once.
  await primary.set('a', 1)
  await backup.set('b', 2)
  await backup.lease({ name: 'reconcile', holder: 'another process', ttlMs: 600_000 })
  const disk = failingDisk()
  disk.fail('ENOSPC', ['open', 'write'])
  const history = await openChatHistory({
    primary,
    backup,
    wal: `file:${join(directory, 'wal')}`,
    env: { ...nodeEnv(), disk },
  })
  onTestFinished(() => history.close())
  expect(history.status().wal.state).not.toBe('open')
  await expect.poll(() => disk.failures, { timeout: 20_000 }).toBeGreaterThan(2)
  disk.fail()
  await expect.poll(() => history.status().wal.state, { timeout: 20_000 }).toBe('open')
  expect(history.status().trusted).toBe(false)
})

/** A log on a disk that can be made to hang. */
class HangingWal extends MemoryWal {
  hangs: 'open' | 'read' | 'nothing' = 'nothing'
  /** Ends a call to `open` that hangs. */
  goOn: () => void = () => {}

  override async open(): Promise<WalOpened> {
    if (this.hangs === 'open') await new Promise<void>((resolve) => (this.goOn = resolve))
    return await super.open()
  }

  override async pending(place: 'primary' | 'backup', key: string): Promise<readonly Operation[]> {
    if (this.hangs === 'read') await new Promise(() => {})
    return await super.pending(place, key)
  }

  override async pendingOf(
    place: 'primary' | 'backup',
    key: string,
    ids: ReadonlySet<string>,
  ): Promise<readonly Operation[]> {
    if (this.hangs === 'read') await new Promise(() => {})
    return await super.pendingOf(place, key, ids)
  }
}

/** A database whose pages can be made to wait. */
class SlowBackend extends DurableMemoryBackend {
  gate: Promise<void> | undefined

  override async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    await this.gate
    return await super.readItems(query, options)
  }
}

async function openOn(
  env: VirtualEnv,
  wal: HangingWal,
  primary: DurableMemoryBackend = new DurableMemoryBackend(env),
  connectTimeout?: number,
): Promise<ChatHistory> {
  const backup = new DurableMemoryBackend(env)
  const opened = openChatHistory({
    env,
    primary,
    backup,
    wal: new WALManager(env, wal),
    ...(connectTimeout !== undefined && { connectTimeout }),
  })
  const history = await env.drive(opened)
  onTestFinished(() => env.drive(history.close()))
  return history
}

test('a log that hangs at the start is gone without after half a minute, and says so', async () => {
  const env = virtualEnv()
  const wal = new HangingWal(env)
  wal.hangs = 'open'
  const history = await openOn(env, wal)
  expect(env.monotonic()).toBe(30_000)
  expect(history.status().wal).toMatchObject({
    state: 'failed',
    durable: false,
    lastError: 'opening the log gave no answer within 30000 ms',
  })
  const { copies } = await env.drive(history.saveMessage('c', { role: 'user', content: 'a' }))
  expect(copies).toEqual(['primary', 'backup'])
})

test('connectTimeout bounds the wait for it', async () => {
  const env = virtualEnv()
  const wal = new HangingWal(env)
  wal.hangs = 'open'
  await openOn(env, wal, new DurableMemoryBackend(env), 700)
  expect(env.monotonic()).toBe(700)
})

// Found by the simulation: such a page called itself complete, and lacked what an earlier life had saved.
test('a page that was asked for before the log opened is not complete', async () => {
  const env = virtualEnv()
  const wal = new HangingWal(env)
  const primary = new SlowBackend(env)
  wal.hangs = 'open'
  const history = await openOn(env, wal, primary)
  await env.advance(1_000)
  let release = (): void => {}
  primary.gate = new Promise((resolve) => (release = resolve))
  const read = history.getHistory('c')
  wal.goOn()
  await env.advance(1)
  expect(history.status().wal.state).toBe('open')
  release()
  expect((await env.drive(read)).complete).toBe(false)
  expect((await env.drive(history.getHistory('c'))).complete).toBe(true)
})

test('a save with an id does not wait for ever for what the log has of it', async () => {
  const env = virtualEnv()
  const wal = new HangingWal(env)
  const history = await openOn(env, wal)
  const message = { id: 'a', role: 'user', content: 'a' } as const
  await env.drive(history.saveMessage('c', message))
  wal.hangs = 'read'
  await expect(env.drive(history.saveMessage('c', message))).rejects.toMatchObject({
    code: 'TIMEOUT',
    effect: 'none',
    place: 'wal',
  })
  wal.hangs = 'nothing'
  await env.drive(history.flush())
})

// Found by the simulation: it stayed open, so that nobody else could have what it had acknowledged.
test('a log that opens after its start has failed is let go of', async () => {
  const env = virtualEnv()
  const wal = new HangingWal(env)
  wal.hangs = 'open'
  const primary = faultyBackend(new DurableMemoryBackend(env))
  const backup = faultyBackend(new DurableMemoryBackend(env))
  const opened = openChatHistory({
    env,
    primary,
    backup,
    wal: new WALManager(env, wal),
    connectTimeout: 700,
  })
  for (const place of [primary, backup]) place.setMode('refused')
  await expect(env.drive(opened)).rejects.toMatchObject({ code: 'CONNECTION' })
  wal.goOn()
  await env.advance(1)
  expect(wal.stats().state).toBe('closed')
})

test('a start that has failed is repeated with the log that it had opened', async () => {
  const env = nodeEnv()
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const wal = new MemoryWal(env)
  const store = new StrategicStorageManager(
    {
      primary: new StorageManager({ database: primary, name: 'primary' }, env),
      backup: new StorageManager({ database: backup, name: 'backup' }, env),
      env,
    },
    new PrimaryFirstReadStrategy(),
    new IdempotentWriteStrategy(),
    new CircuitBreakerHealthManager(env),
    new WALManager(env, wal),
  )
  onTestFinished(() => store.disconnect())
  for (const place of [primary, backup]) place.setMode('refused')
  await expect(store.connect()).rejects.toMatchObject({ code: 'CONNECTION' })
  expect(wal.stats().state).toBe('closed')
  for (const place of [primary, backup]) place.setMode('up')
  await store.connect()
  expect(wal.stats().state).toBe('open')
  expect((await store.set('k', 1)).copies).toContain('wal')
})
