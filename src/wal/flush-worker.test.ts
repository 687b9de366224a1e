import { expect, test } from 'vitest'
import { StorageError } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import { append, stampAt } from '../testing/backend/operations.ts'
import { virtualEnv, type VirtualEnv } from '../testing/virtual-env.ts'
import { MemoryWal } from './memory/memory-wal.ts'
import type { WALManagerOptions } from './manager-options.ts'
import { WALManager } from './wal-manager.ts'

const GATHER_MS = 100
/** How long a place takes for a batch in these tests. */
const APPLY_MS = 10

interface Flushing {
  readonly env: VirtualEnv
  readonly manager: WALManager
  /** Sizes of the batches that each place got. */
  readonly batches: Readonly<Record<DatabasePlace, number[]>>
  save(count: number): Promise<void>
}

async function setup(options: WALManagerOptions = {}): Promise<Flushing> {
  const env = virtualEnv()
  const wal = new MemoryWal(env)
  const manager = new WALManager(env, wal, { gatherMs: GATHER_MS, ...options })
  const batches = { primary: [] as number[], backup: [] as number[] }
  let saved = 0
  await manager.open('0000000000000001')
  manager.startFlushWorker({
    isReady: () => true,
    async apply(place: DatabasePlace, operations: readonly Operation[]) {
      batches[place].push(operations.length)
      await new Promise<void>((resolve) => env.setTimer(APPLY_MS, resolve))
    },
  })
  const save = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await wal.append([append('k', stampAt(saved), saved++)])
  }
  return { env, manager, batches, save }
}

test('what arrives while a batch is on its way to the backup is gathered as well', async () => {
  const { env, batches, save } = await setup()
  for (let i = 0; i < 30; i++) {
    await save(1)
    await env.advance(10)
  }
  await env.advance(2 * GATHER_MS)
  expect(batches.backup.reduce((sum, count) => sum + count, 0)).toBe(30)
  expect(batches.backup.length).toBeLessThanOrEqual(4)
  // Readers of other processes miss there what the primary lacks: it gets it at once.
  expect(batches.primary.length).toBeGreaterThan(20)
})

test('full batches follow each other without a pause', async () => {
  const { env, batches, save } = await setup({ batchEntries: 10 })
  await save(35)
  await env.advance(GATHER_MS + 4 * APPLY_MS)
  expect(batches.backup).toEqual([10, 10, 10])
  await env.advance(GATHER_MS + APPLY_MS)
  expect(batches.backup).toEqual([10, 10, 10, 5])
})

test('neither a flush nor a stop waits until the next batch has gathered', async () => {
  const { env, manager, batches, save } = await setup({ gatherMs: 60_000 })
  await save(1)
  await env.advance(1)
  expect(batches.backup).toEqual([])
  await env.drive(manager.flush(1_000))
  expect(batches.backup).toEqual([1])
  await save(1)
  await env.advance(1)
  await env.drive(manager.stopFlushWorker(1_000))
  expect(batches.backup).toEqual([1, 1])
  expect(env.pendingTimers()).toBe(0)
})

interface Outage {
  readonly env: VirtualEnv
  readonly manager: WALManager
  /** Sizes of the batches that the place got. */
  readonly batches: readonly number[]
  /** The place is back. */
  end(): void
}

/** A place that is out and lacks so many entries; it takes no time for a batch. */
async function outage(
  place: DatabasePlace,
  entries: number,
  options: WALManagerOptions,
): Promise<Outage> {
  const env = virtualEnv()
  const wal = new MemoryWal(env)
  const manager = new WALManager(env, wal, options)
  const batches: number[] = []
  let isOut = true
  await manager.open('0000000000000001')
  for (let i = 0; i < entries; i++) await wal.append([append('k', stampAt(i), i)])
  manager.startFlushWorker({
    isReady: (each) => each !== place || !isOut,
    apply(each: DatabasePlace, operations: readonly Operation[]) {
      if (each === place) batches.push(operations.length)
      return Promise.resolve()
    },
  })
  return { env, manager, batches, end: () => (isOut = false) }
}

test('a place that was out gets a small batch first, and larger ones while it is quick', async () => {
  const { env, manager, batches, end } = await outage('primary', 300, { gatherMs: 0 })
  await env.advance(1_000)
  end()
  await env.drive(manager.flush(10_000))
  expect(batches).toEqual([32, 64, 128, 76])
  await env.drive(manager.stopFlushWorker(1_000))
})

test('small batches after an outage follow each other without a pause, too', async () => {
  const options = { gatherMs: GATHER_MS, flushIntervalMs: 1_000 }
  const { env, manager, batches, end } = await outage('backup', 224, options)
  await env.advance(10)
  end()
  while (batches.length === 0) await env.advance(1)
  await env.advance(1)
  expect(batches).toEqual([32, 64, 128])
  await env.drive(manager.stopFlushWorker(1_000))
})

test('what a place refuses of what memory alone owes holds up nothing behind it', async () => {
  const env = virtualEnv()
  const wal = new MemoryWal(env)
  // The log is out.
  wal.append = () => Promise.reject(new StorageError('UNAVAILABLE', 'out', { place: 'wal' }))
  const manager = new WALManager(env, wal, { batchEntries: 2, gatherMs: 0 })
  const arrived: unknown[] = []
  let calls = 0
  await manager.open('0000000000000001')
  for (let i = 0; i < 8; i++) {
    const ticket = manager.issue([append(i < 3 ? 'poison' : 'k', stampAt(i), i)])
    await ticket.log().catch(() => {})
    ticket.acknowledge()
  }
  manager.startFlushWorker({
    isReady: (place) => place === 'backup',
    async apply(_place: DatabasePlace, operations: readonly Operation[]) {
      calls++
      if (operations.some(({ key }) => key === 'poison')) {
        throw new StorageError('REJECTED', 'poison')
      }
      arrived.push(...operations.map(({ stamp }) => stamp))
    },
  })
  await env.advance(10_000)
  expect(arrived).toEqual([3, 4, 5, 6, 7].map((i) => stampAt(i)))
  // They stay owed and are tried again, with pauses.
  expect(await manager.pending('backup', 'poison')).toHaveLength(3)
  expect(manager.getStats().lastErrors.backup).toMatchObject({ code: 'REJECTED' })
  expect(calls).toBeLessThan(100)
  await env.drive(manager.stopFlushWorker(1_000))
})

test('an entry that is refused while the log cannot set it aside holds up nothing behind it', async () => {
  const env = virtualEnv()
  const wal = new MemoryWal(env)
  const manager = new WALManager(env, wal, { gatherMs: 0 })
  const arrived: unknown[] = []
  await manager.open('0000000000000001')
  for (const [i, key] of ['poison', 'a', 'b'].entries()) {
    await wal.append([append(key, stampAt(i), i)])
  }
  wal.quarantine = () => Promise.reject(new StorageError('UNAVAILABLE', 'out', { place: 'wal' }))
  manager.startFlushWorker({
    isReady: (place) => place === 'backup',
    async apply(_place: DatabasePlace, operations: readonly Operation[]) {
      if (operations.some(({ key }) => key === 'poison')) {
        throw new StorageError('REJECTED', 'poison')
      }
      arrived.push(...operations.map(({ key }) => key))
    },
  })
  await env.advance(10_000)
  expect(arrived).toEqual(['a', 'b'])
  await env.drive(manager.stopFlushWorker(1_000))
})
