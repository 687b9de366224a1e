import { expect, onTestFinished, test } from 'vitest'
import { ChatHistory } from '../../src/chat/chat-history.ts'
import { StorageError } from '../../src/core/errors.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Operation } from '../../src/core/operation.ts'
import { CircuitBreakerHealthManager } from '../../src/health/circuit-breaker.ts'
import { StorageManager } from '../../src/manager/storage-manager.ts'
import { StrategicStorageManager } from '../../src/store/strategic-storage-manager.ts'
import { PrimaryFirstReadStrategy } from '../../src/strategy/read/primary-first.ts'
import { IdempotentWriteStrategy } from '../../src/strategy/write/idempotent.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { BehindInLog } from '../../src/wal/behind-in-log.ts'
import { MemoryWal } from '../../src/wal/memory/memory-wal.ts'
import type { Lsn, WalAppendOptions } from '../../src/wal/wal.ts'
import { WALManager } from '../../src/wal/wal-manager.ts'

/** Says of the first fresh group that another process was first, once it is let go. */
class OvertakenWal extends MemoryWal {
  #held = false
  letGo: () => void = () => {}

  get holds(): boolean {
    return this.#held
  }

  override async append(
    operations: readonly Operation[],
    options: WalAppendOptions = {},
  ): Promise<Lsn> {
    if (this.#held || options.fresh !== true) return await super.append(operations, options)
    this.#held = true
    await new Promise<void>((resolve) => {
      this.letGo = resolve
    })
    const { key, stamp } = operations[0]!
    throw new BehindInLog(new Map([[key, stamp]]))
  }
}

interface Opened {
  readonly history: ChatHistory
  readonly health: CircuitBreakerHealthManager
}

async function open(
  primary: FaultyBackend,
  backup: FaultyBackend,
  wal: MemoryWal,
): Promise<Opened> {
  const env = nodeEnv()
  const health = new CircuitBreakerHealthManager(env, { healthCheckInterval: 60_000 })
  const store = new StrategicStorageManager(
    {
      primary: new StorageManager({ database: primary, name: 'primary' }, env),
      backup: new StorageManager({ database: backup, name: 'backup' }, env),
      env,
      drainTimeout: 500,
    },
    new PrimaryFirstReadStrategy(),
    new IdempotentWriteStrategy(),
    health,
    new WALManager(env, wal),
  )
  const history = new ChatHistory(store)
  await store.connect()
  onTestFinished(() => history.close())
  return { history, health }
}

// Found by the simulation: the answer of the log was taken for one answer too many.
test('a repeat that the shared log finds behind, after a database said what stands, keeps its id', async () => {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const message = { id: 'mine', role: 'user', content: 'once' } as const
  const first = await open(primary, backup, new MemoryWal(nodeEnv()))
  await first.history.saveMessage('c', message)
  await first.history.flush()

  const wal = new OvertakenWal(nodeEnv())
  const { history, health } = await open(primary, backup, wal)
  const asked = new Promise<void>((resolve) => {
    primary.onCall((call) => {
      if (call === 'apply') resolve()
    })
  })
  backup.setMode('refused')
  for (let i = 0; i < 20; i++) {
    health.markFailure('primary', new StorageError('UNAVAILABLE', 'out'), 'test')
  }
  const repeat = history.saveMessage('c', message)
  // The circuit is open, so the primary is asked last: by then the log has the group in its hands.
  await asked
  expect(wal.holds).toBe(true)
  await expect.poll(() => primary.calls.get('apply')).toBeGreaterThan(1)
  await new Promise((resolve) => setImmediate(resolve))
  wal.letGo()
  expect(await repeat).toMatchObject({ id: 'mine' })
  backup.setMode('up')
  await history.flush()
  const { messages } = await history.getHistory('c')
  expect(messages).toEqual([expect.objectContaining(message)])
})
