import type { CallOptions, ReplicaBackend } from '../backend/replica-backend.ts'
import { StorageConnectionError, StorageError } from '../core/errors.ts'

/**
 * How a faulty backend treats calls.
 *
 * - `up`: as they are.
 * - `refused`: rejected at once, without effect, like a closed port.
 * - `hung`: no answer and no effect until the call's deadline, like a stopped server.
 * - `reply-lost`: done, but the caller never hears of it and runs into its deadline.
 * - `reset`: done, but the connection breaks before the answer.
 */
export type FaultMode = 'up' | 'refused' | 'hung' | 'reply-lost' | 'reset'

/** Deadline of a hung call that names none. Milliseconds. */
const HUNG_MS = 10_000

export interface FaultyBackend extends ReplicaBackend {
  /** The mode of every call from now on. Calls that hang are let go when it changes. */
  setMode(mode: FaultMode): void
  /** Runs before each call; may throw or wait. */
  onCall(listener: (operation: string) => void | Promise<void>): void
  /** Calls so far by the method's name. */
  readonly calls: ReadonlyMap<string, number>
}

const PLAIN = new Set([
  'getBackendType',
  'getDurability',
  'getServerIds',
  'judgesConditions',
  'getSearch',
  'isConnected',
  'disconnect',
])

/** Puts a switchable fault between a store and a real backend. */
export function faultyBackend(inner: ReplicaBackend): FaultyBackend {
  const calls = new Map<string, number>()
  const gate = new Gate()
  const controls = {
    setMode: (mode: FaultMode) => gate.setMode(mode),
    onCall: (listener: (operation: string) => void | Promise<void>) => {
      gate.listener = listener
    },
    calls,
  }
  return new Proxy(inner, {
    get(target, name: string) {
      if (name in controls) return controls[name as keyof typeof controls]
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const method = (member as (...args: unknown[]) => unknown).bind(target)
      if (PLAIN.has(name)) return method
      if (name === 'scan' || name === 'scanStored' || name === 'checkParts') {
        return async function* (...args: unknown[]): AsyncIterable<unknown> {
          await gate.pass(name, lastOptions(args), async () => {})
          yield* method(...args) as AsyncIterable<unknown>
        }
      }
      return async (...args: unknown[]) => {
        calls.set(name, (calls.get(name) ?? 0) + 1)
        return await gate.pass(name, lastOptions(args), async () => await method(...args))
      }
    },
  }) as FaultyBackend
}

class Gate {
  listener: (operation: string) => void | Promise<void> = () => {}
  #mode: FaultMode = 'up'
  #waiting = new Set<() => void>()

  setMode(mode: FaultMode): void {
    this.#mode = mode
    for (const wake of this.#waiting) wake()
  }

  async pass<T>(operation: string, options: CallOptions, run: () => Promise<T>): Promise<T> {
    await this.listener(operation)
    switch (this.#mode) {
      case 'up':
        return await run()
      case 'refused':
        throw new StorageConnectionError('faulty', 'connection refused', { effect: 'none' })
      case 'hung':
        return await this.#hang(options)
      case 'reply-lost':
        await run()
        return await this.#hang(options)
      case 'reset':
        await run()
        throw new StorageError('UNAVAILABLE', 'connection reset', { effect: 'unknown' })
    }
  }

  async #hang(options: CallOptions): Promise<never> {
    const ms = options.timeoutMs ?? HUNG_MS
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms)
      const waiting = this.#waiting
      waiting.add(done)
      function done(): void {
        clearTimeout(timer)
        waiting.delete(done)
        resolve()
      }
    })
    throw new StorageError('TIMEOUT', `no answer within ${ms} ms`, { effect: 'unknown' })
  }
}

function lastOptions(args: readonly unknown[]): CallOptions {
  const last = args.at(-1)
  return typeof last === 'object' && last !== null && 'timeoutMs' in last
    ? (last as CallOptions)
    : {}
}
