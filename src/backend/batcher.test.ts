import { describe, expect, test } from 'vitest'
import { isStorageError, StorageError, type Effect } from '../core/errors.ts'
import { BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX } from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import { append, stampAt } from '../testing/backend/operations.ts'
import { virtualEnv, type VirtualEnv } from '../testing/virtual-env.ts'
import { Batcher, type BatchCall, type BatcherOptions } from './batcher.ts'
import type { ApplyResult } from './replica-backend.ts'

/** One batch as the engine got it; the test decides when and how it ends. */
interface Run {
  readonly keys: readonly string[]
  readonly calls: readonly BatchCall[]
  succeed(): Promise<void>
  fail(error: Error): Promise<void>
}

interface Fixture {
  readonly env: VirtualEnv
  readonly batcher: Batcher
  /** Batches in the order in which they began. */
  readonly runs: Run[]
  /** Submits one operation and notes how it ends. */
  submit(key: string, options?: Parameters<Batcher['submit']>[1]): { outcome?: string }
}

function setup(options: Partial<BatcherOptions> = {}): Fixture {
  const env = virtualEnv()
  const runs: Run[] = []
  const batcher = new Batcher({
    env,
    name: 'test',
    inFlightMax: 1,
    timeoutMs: 1_000,
    run: async (calls) =>
      await new Promise<ApplyResult[]>((resolve, reject) => {
        runs.push({
          calls,
          keys: calls.map(({ operations }) => operations[0]?.key ?? ''),
          async succeed() {
            resolve(calls.map((call) => ({ identity: call.operations[0]?.key ?? '', applied: [] })))
            await env.settle()
          },
          async fail(error) {
            reject(error)
            await env.settle()
          },
        })
      }),
    ...options,
  })
  return { env, batcher, runs, submit: (key, call) => track(batcher.submit([put(key)], call)) }
}

function put(key: string, value = 'x'): Operation {
  return append(key, stampAt(1), value)
}

/** The identity that was answered, or the code and the effect of the error. */
function track(promise: Promise<ApplyResult>): { outcome?: string } {
  const tracked: { outcome?: string } = {}
  promise.then(
    ({ identity }) => (tracked.outcome = identity),
    (error: unknown) => {
      tracked.outcome = isStorageError(error) ? `${error.code} ${error.effect}` : String(error)
    },
  )
  return tracked
}

function failure(effect: Effect): StorageError {
  return new StorageError('UNAVAILABLE', 'down', { effect })
}

describe('batching', () => {
  test('calls of one tick share a batch, and each gets its own answer', async () => {
    const { env, runs, submit } = setup()
    const calls = ['a', 'b', 'c'].map((key) => submit(key))
    await env.settle()
    expect(runs.map(({ keys }) => keys)).toEqual([['a', 'b', 'c']])
    await runs[0]!.succeed()
    expect(calls.map(({ outcome }) => outcome)).toEqual(['a', 'b', 'c'])
    expect(env.pendingTimers()).toBe(0)
  })

  test('while a batch is in flight the next one gathers', async () => {
    const { env, runs, submit } = setup()
    submit('a')
    await env.settle()
    for (const key of ['b', 'c']) {
      submit(key)
      await env.settle()
    }
    expect(runs).toHaveLength(1)
    await runs[0]!.succeed()
    expect(runs.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c']])
  })

  test('no more batches than allowed run at once', async () => {
    const { env, runs, submit } = setup({ inFlightMax: 2 })
    for (const key of ['a', 'b', 'c']) {
      submit(key)
      await env.settle()
    }
    expect(runs.map(({ keys }) => keys)).toEqual([['a'], ['b']])
    await runs[1]!.succeed()
    expect(runs.map(({ keys }) => keys)).toEqual([['a'], ['b'], ['c']])
  })

  test('a batch ends at its count of operations, but never splits a group', async () => {
    const { env, batcher, runs } = setup()
    const group = Array.from({ length: 100 }, () => put('k'))
    const calls = [1, 2, 3].map(() => track(batcher.submit(group)))
    await env.settle()
    expect(runs[0]!.calls).toHaveLength(Math.floor(BATCH_OPERATIONS_MAX / 100))
    await runs[0]!.succeed()
    await runs[1]!.succeed()
    expect(calls.every(({ outcome }) => outcome === 'k')).toBe(true)
    const large = track(batcher.submit(Array.from({ length: 1_000 }, () => put('large'))))
    await env.settle()
    await runs[2]!.succeed()
    expect(large.outcome).toBe('large')
  })

  test('a batch ends at its bytes', async () => {
    const { env, batcher, runs } = setup()
    const value = 'x'.repeat(BATCH_BYTES_MAX / 2)
    for (const key of ['a', 'b', 'c']) track(batcher.submit([put(key, value)]))
    await env.settle()
    expect(runs[0]!.keys).toEqual(['a'])
  })

  test('what a call asks for reaches the engine', async () => {
    const { env, runs, submit } = setup()
    submit('a', { decide: true, unique: true, hint: 'w', cursor: { writer: 'w', lsn: 3 } })
    submit('b')
    await env.settle()
    expect(runs[0]!.calls).toMatchObject([
      { decide: true, unique: true, hint: 'w', cursor: { writer: 'w', lsn: 3 } },
      { decide: false, unique: false },
    ])
    expect(Object.keys(runs[0]!.calls[1]!).sort()).toEqual(['decide', 'operations', 'unique'])
  })
})

describe('failures', () => {
  test('a failed batch fails each of its calls with what is known of the effect', async () => {
    const { env, runs, submit } = setup()
    const calls = [submit('a'), submit('b')]
    await env.settle()
    await runs[0]!.fail(failure('unknown'))
    expect(calls.map(({ outcome }) => outcome)).toEqual([
      'UNAVAILABLE unknown',
      'UNAVAILABLE unknown',
    ])
    const next = submit('c')
    await env.settle()
    await runs[1]!.succeed()
    expect(next.outcome).toBe('c')
  })

  test('what is no error of ours may have had any effect', async () => {
    const { env, runs, submit } = setup()
    const call = submit('a')
    await env.settle()
    await runs[0]!.fail(new TypeError('bug'))
    expect(call.outcome).toBe('UNAVAILABLE unknown')
  })

  test('a call whose data cannot be stored fails alone; the rest is tried without it', async () => {
    const poison = new StorageError('REJECTED', 'too strange')
    const batches: string[][] = []
    const { env, submit } = setup({
      run: async (calls) => {
        const keys = calls.map(({ operations }) => operations[0]!.key)
        batches.push(keys)
        if (keys.includes('poison')) throw poison
        return keys.map((identity) => ({ identity, applied: [] }))
      },
    })
    const calls = ['a', 'b', 'poison', 'c', 'd', 'e', 'f'].map((key) => submit(key))
    await env.settle()
    expect(calls.map(({ outcome }) => outcome)).toEqual([
      'a',
      'b',
      'REJECTED none',
      'c',
      'd',
      'e',
      'f',
    ])
    // By halving: not one call a batch.
    expect(batches.length).toBeLessThan(calls.length + 1)
  })

  test('another failure is not taken for poison: nothing is sent again', async () => {
    const { env, runs, submit } = setup()
    submit('a')
    submit('b')
    await env.settle()
    await runs[0]!.fail(failure('none'))
    expect(runs).toHaveLength(1)
  })
})

describe('limits', () => {
  test('a queued call that times out has had no effect and is not sent', async () => {
    const { env, runs, submit } = setup()
    submit('a', { timeoutMs: 5_000 })
    await env.settle()
    const queued = submit('b', { timeoutMs: 100 })
    await env.advance(100)
    expect(queued.outcome).toBe('TIMEOUT none')
    await runs[0]!.succeed()
    expect(runs).toHaveLength(1)
  })

  test('a sent call that times out may have had its effect; a late answer is ignored', async () => {
    const { env, runs, submit } = setup()
    const sent = submit('a')
    await env.settle()
    await env.advance(999)
    expect(sent.outcome).toBeUndefined()
    await env.advance(1)
    expect(sent.outcome).toBe('TIMEOUT unknown')
    await runs[0]!.succeed()
    expect(sent.outcome).toBe('TIMEOUT unknown')
    expect(env.pendingTimers()).toBe(0)
  })

  test('a call is aborted before it is submitted, in the queue or when it was sent', async () => {
    const { env, runs, batcher, submit } = setup()
    const early = submit('early', { signal: AbortSignal.abort() })
    const controller = new AbortController()
    const sent = submit('sent', { signal: controller.signal })
    await env.settle()
    const queued = submit('queued', { signal: controller.signal })
    controller.abort()
    await env.settle()
    expect(early.outcome).toBe('TIMEOUT none')
    expect(sent.outcome).toBe('TIMEOUT unknown')
    expect(queued.outcome).toBe('TIMEOUT none')
    await runs[0]!.succeed()
    expect(runs).toHaveLength(1)
    expect(env.pendingTimers()).toBe(0)
    batcher.close()
  })

  test('beyond the bytes that may wait a call is refused', async () => {
    const { env, batcher, runs, submit } = setup({ queueBytesMax: 2_000 })
    const value = 'x'.repeat(1_000)
    const calls = ['a', 'b'].map((key) => track(batcher.submit([put(key, value)])))
    await env.settle()
    expect(calls[1]!.outcome).toBe('OVERLOADED none')
    // What was sent waits no more.
    const next = submit('c')
    await runs[0]!.succeed()
    await runs[1]!.succeed()
    expect([calls[0]!.outcome, next.outcome]).toEqual(['a', 'c'])
  })
})

describe('closing', () => {
  test('rejects what is queued and what comes, and lets what was sent end', async () => {
    const { env, batcher, runs, submit } = setup()
    const sent = submit('a')
    await env.settle()
    const queued = submit('b')
    batcher.close()
    const late = submit('c')
    await env.settle()
    expect([queued.outcome, late.outcome]).toEqual(['CLOSED none', 'CLOSED none'])
    await runs[0]!.succeed()
    expect(sent.outcome).toBe('a')
    expect(runs).toHaveLength(1)
    expect(env.pendingTimers()).toBe(0)
  })

  test('may be opened again, with nothing of the old queue left', async () => {
    const { env, batcher, runs } = setup({ queueBytesMax: 2_000 })
    const value = 'x'.repeat(1_500)
    const before = track(batcher.submit([put('a', value)]))
    batcher.close()
    batcher.open()
    const after = track(batcher.submit([put('b', value)]))
    await env.settle()
    await runs[0]!.succeed()
    expect([before.outcome, after.outcome]).toEqual(['CLOSED none', 'b'])
  })
})
