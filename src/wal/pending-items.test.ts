// Goal: to find an id in the log costs the same at 100 and at 20,000 pending entries of its conversation.
// Method: what is read of the entries is counted.
import { expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../core/node-env.ts'
import { openChatHistory } from '../index.ts'
import { append, clear, stampAt } from '../testing/backend/operations.ts'
import { DurableMemoryBackend } from '../testing/durable-memory-backend.ts'
import { faultyBackend } from '../testing/faulty-backend.ts'
import { virtualEnv } from '../testing/virtual-env.ts'
import { MemoryWal } from './memory/memory-wal.ts'
import { WALManager } from './wal-manager.ts'
import type { Lsn, WalEntry } from './wal.ts'

class CountingWal extends MemoryWal {
  loaded = 0

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    this.loaded += lsns.length
    return await super.load(lsns)
  }

  async cost(call: () => Promise<unknown>): Promise<number> {
    const before = this.loaded
    await call()
    return this.loaded - before
  }
}

async function opened(): Promise<CountingWal> {
  const wal = new CountingWal(nodeEnv())
  await wal.open()
  return wal
}

async function fill(wal: CountingWal, from: number, count: number): Promise<Lsn[]> {
  const lsns: Lsn[] = []
  for (let i = from; i < from + count; i++) {
    lsns.push(await wal.append([append('k', stampAt(i), i, `id${i}`)]))
  }
  return lsns
}

test.each([100, 20_000])('with %d pending entries a new id reads what is new', async (pending) => {
  const wal = await opened()
  await fill(wal, 0, pending)
  await wal.pendingOf('primary', 'k', new Set(['new']))
  expect(await wal.cost(() => wal.pendingOf('primary', 'k', new Set(['another'])))).toBe(0)
  await fill(wal, pending, 3)
  expect(await wal.cost(() => wal.pendingOf('primary', 'k', new Set(['third'])))).toBe(3)
  // What one place was read for the other one lacks too.
  const ids = new Set(['id7'])
  expect(await wal.cost(() => wal.pendingOf('backup', 'k', ids))).toBe(1)
  expect(await wal.pendingOf('backup', 'k', ids)).toEqual([append('k', stampAt(7), 7, 'id7')])
})

test('calls at once read each entry once', async () => {
  const wal = await opened()
  await fill(wal, 0, 5_000)
  const calls = Array.from({ length: 20 }, (_, i) =>
    wal.pendingOf('primary', 'k', new Set([`${i}`])),
  )
  await Promise.all(calls)
  expect(wal.loaded).toBe(5_000)
})

test('what is gone is forgotten', async () => {
  const wal = await opened()
  const lsns = await fill(wal, 0, 1_000)
  await wal.append([clear('k', stampAt(1))])
  expect(await wal.pendingOf('primary', 'k', new Set(['id0']))).toHaveLength(2)
  for (const place of ['primary', 'backup'] as const) wal.acknowledge(place, lsns)
  expect(await wal.pendingOf('primary', 'k', new Set(['id0']))).toHaveLength(1)
  await fill(wal, 2_000, 100)
  expect(await wal.cost(() => wal.pendingOf('primary', 'k', new Set(['x'])))).toBe(102)
})

test('in a long outage saves with ids read each entry once, not once for each save', async () => {
  const env = virtualEnv()
  const wal = new CountingWal(env)
  const backup = faultyBackend(new DurableMemoryBackend(env))
  const primary = new DurableMemoryBackend(env)
  const history = await env.drive(
    openChatHistory({ env, primary, backup, wal: new WALManager(env, wal), reconcile: false }),
  )
  onTestFinished(() => env.drive(history.close(), 100))
  backup.setMode('refused')
  const count = 300
  for (let i = 0; i < count; i++) {
    await env.drive(history.saveMessage('c', { id: `id${i}`, role: 'user', content: 'hello' }))
  }
  expect(history.status().places.backup.pending).toBe(count)
  // The few of the beginning are read each time.
  expect(wal.loaded).toBeLessThan(12 * count)
})
