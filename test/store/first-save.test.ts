// Goal: the first save of a store is no reason to do without a healthy primary. Method: in virtual time, a
// primary that answers probes at once and its first save late, as one does that has to plan and to load.
import { expect, onTestFinished, test } from 'vitest'
import type { ApplyOptions, ApplyResult } from '../../src/backend/replica-backend.ts'
import type { Operation } from '../../src/core/operation.ts'
import { sleep } from '../../src/core/time.ts'
import { openChatHistory, WALManager, type ChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { MemoryWal } from '../../src/wal/memory/memory-wal.ts'

/** Each apply takes the next of these times, then none. */
class SlowPrimary extends DurableMemoryBackend {
  readonly #env: VirtualEnv
  readonly #delaysMs: number[]

  constructor(env: VirtualEnv, ...delaysMs: readonly number[]) {
    super(env)
    this.#env = env
    this.#delaysMs = [...delaysMs]
  }

  override async apply(
    operations: readonly Operation[],
    options?: ApplyOptions,
  ): Promise<ApplyResult> {
    const delayMs = operations.length === 0 ? 0 : (this.#delaysMs.shift() ?? 0)
    if (delayMs > 0) await sleep(this.#env, delayMs)
    return await super.apply(operations, options)
  }
}

async function openOn(env: VirtualEnv, primary: DurableMemoryBackend): Promise<ChatHistory> {
  const backup = new DurableMemoryBackend(env)
  const wal = new WALManager(env, new MemoryWal(env))
  const history = await env.drive(openChatHistory({ env, primary, backup, wal }))
  onTestFinished(() => env.drive(history.close()))
  // It has been probed: by what that took a save would be late.
  await env.advance(3_000)
  return history
}

async function save(env: VirtualEnv, history: ChatHistory): Promise<[copies: string, ms: number]> {
  const startMs = env.monotonic()
  const { copies } = await env.drive(history.saveMessage('c', { role: 'user', content: 'a' }))
  return [copies.join(), env.monotonic() - startMs]
}

test('a first save that takes long is in the primary all the same', async () => {
  const env = virtualEnv()
  const history = await openOn(env, new SlowPrimary(env, 600))
  expect(await save(env, history)).toEqual(['primary,wal', 600])
})

test('the second one is not waited for that long', async () => {
  const env = virtualEnv()
  const history = await openOn(env, new SlowPrimary(env, 1, 600))
  await save(env, history)
  const [copies, ms] = await save(env, history)
  expect(copies).toBe('backup,wal')
  expect(ms).toBeLessThan(100)
})

test('a primary that hangs from the first save on costs one second, and no other save', async () => {
  const env = virtualEnv()
  const history = await openOn(env, new SlowPrimary(env, 60_000, 60_000))
  expect(await save(env, history)).toEqual(['backup,wal', 1_000])
  const [copies, ms] = await save(env, history)
  expect(copies).toBe('backup,wal')
  expect(ms).toBeLessThan(100)
})
