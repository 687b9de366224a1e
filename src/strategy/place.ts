import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  DamagedPart,
  ReplicaBackend,
  ReplicaState,
  SearchState,
  StoredOperation,
} from '../backend/replica-backend.ts'
import { searchOf } from '../backend/search/search-state.ts'
import { storedOperations } from '../backend/stored-operations.ts'
import { Deadline } from '../core/deadline.ts'
import type { StampRange } from '../core/digest.ts'
import type { Env } from '../core/env.ts'
import { isStorageError, messageOf, StorageError } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import { namedOnce, type DatabasePlace } from '../core/places.ts'
import type { HealthManager } from '../health/health-manager.ts'

/** What an engine has to say at the deadline comes first: it knows more about the outcome. */
const GUARD_MS = 250

/**
 * One database place as the strategies call it: every call has a deadline, its outcome is told to
 * the health manager, and its error names the place.
 */
export class Place {
  readonly name: DatabasePlace
  /** The configuration does not have this place. */
  readonly isAbsent: boolean = false
  readonly #env: Env
  readonly #backend: ReplicaBackend
  readonly #health: HealthManager
  /** When the first call of each kind began. Monotonic milliseconds. */
  readonly #begunAt = new Map<string, number>()
  /** Kinds of calls of which one has succeeded. */
  readonly #warm = new Set<string>()

  constructor(env: Env, name: DatabasePlace, backend: ReplicaBackend, health: HealthManager) {
    this.#env = env
    this.name = name
    this.#backend = backend
    this.#health = health
  }

  /**
   * True when a call may be made now. While a circuit is half-open this admits one call: ask only
   * when the call follows.
   */
  isHealthy(): boolean {
    return this.#health.isHealthy(this.name)
  }

  /** True while calls are expected to succeed; admits nothing. */
  isUp(): boolean {
    return this.#health.getHealthStats(this.name).healthy
  }

  /** Names the servers that keep the database, where the engine can tell. */
  serverIds(): readonly string[] {
    return this.#backend.getServerIds?.() ?? []
  }

  isDurable(): boolean {
    return this.#backend.getDurability().durable
  }

  /**
   * What is left of this time for the first call of a kind, which finds connections, caches and plans cold: how
   * long others took says nothing of it. 0 once one has succeeded.
   */
  coldMs(operation: string, ms: number): number {
    if (this.#warm.has(operation)) return 0
    const begunAt = this.#begunAt.get(operation)
    return begunAt === undefined ? ms : Math.max(0, begunAt + ms - this.#env.monotonic())
  }

  /** True also while the place was never reached, so that nothing is known of it. */
  mayBeDurable(): boolean {
    const { durable, unknown } = this.#backend.getDurability()
    return durable || unknown === true
  }

  /** Whether it can be searched; undefined while nobody knows, since it was never connected. */
  getSearch(): SearchState | undefined {
    try {
      return searchOf(this.#backend)
    } catch {
      return undefined
    }
  }

  /** True unless it says otherwise: one that is out is asked in vain, as for any read. */
  canSearch(): boolean {
    const state = this.getSearch()
    return state === undefined || state.state === 'ready'
  }

  apply(
    operations: readonly Operation[],
    options: ApplyOptions & { readonly timeoutMs: number },
  ): Promise<ApplyResult> {
    return this.call('apply', options.deadline ?? options.timeoutMs, async (backend, limits) => {
      if (options.conditions !== undefined && backend.judgesConditions?.() !== true) {
        throw unsupported(`${backend.getBackendType()} does not judge conditions`)
      }
      return await backend.apply(operations, { ...options, ...limits })
    })
  }

  /** The same for what nobody waits for: its latency says nothing about saves. */
  flush(
    operations: readonly Operation[],
    options: ApplyOptions & { readonly timeoutMs: number },
  ): Promise<ApplyResult> {
    return this.call('flush', options.timeoutMs, (backend, limits) =>
      backend.apply(operations, { ...options, ...limits }),
    )
  }

  /** Does not tell the health manager: its probes are judged by itself. */
  async readState(writer: string, timeoutMs: number): Promise<ReplicaState> {
    try {
      return await this.#guard('readState', timeoutMs, (backend, options) =>
        backend.readState(writer, options),
      )
    } catch (error) {
      throw withPlace(error, this.name, 'readState')
    }
  }

  /** Runs one call of the engine. `operation` names it in errors and statistics. */
  async call<T>(
    operation: string,
    limit: number | Deadline,
    run: (backend: ReplicaBackend, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const startedMs = this.#env.monotonic()
    if (!this.#begunAt.has(operation)) this.#begunAt.set(operation, startedMs)
    try {
      const result = await this.#guard(operation, limit, run)
      this.#warm.add(operation)
      this.#health.markSuccess(this.name, operation, this.#env.monotonic() - startedMs)
      return result
    } catch (error) {
      // A damaged row says nothing about the others; of a damaged database the probes tell. Nor does it say
      // anything that an engine cannot do something.
      const isOfCall = isStorageError(error, 'CORRUPT') || isStorageError(error, 'UNSUPPORTED')
      if (!isOfCall) this.#health.markFailure(this.name, error, operation)
      throw withPlace(error, this.name, operation)
    }
  }

  /**
   * A call over many rows. How long it takes says nothing about the place, so only its failure is
   * told.
   */
  async longCall<T>(
    operation: string,
    timeoutMs: number,
    run: (backend: ReplicaBackend, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#guard(operation, timeoutMs, run)
    } catch (error) {
      this.#health.markFailure(this.name, error, operation)
      throw withPlace(error, this.name, operation)
    }
  }

  /** The stored operations of a range, page by page; `timeoutMs` is the limit of each page. */
  async *scanStored(range: StampRange, timeoutMs: number): AsyncGenerator<StoredOperation> {
    try {
      yield* storedOperations(this.#backend, range, { timeoutMs })
    } catch (error) {
      this.#health.markFailure(this.name, error, 'scan')
      throw withPlace(error, this.name, 'scan')
    }
  }

  /** Parts of the engine's own that have lost something; `timeoutMs` is the limit of each step. */
  async *checkParts(timeoutMs: number, signal?: AbortSignal): AsyncGenerator<DamagedPart> {
    try {
      yield* this.#backend.checkParts?.({ timeoutMs, ...(signal && { signal }) }) ?? []
    } catch (error) {
      throw withPlace(error, this.name, 'checkParts')
    }
  }

  /** Makes them anew; `timeoutMs` is the limit of each step. */
  async mendParts(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    try {
      await this.#backend.mendParts?.({ timeoutMs, ...(signal && { signal }) })
    } catch (error) {
      throw withPlace(error, this.name, 'mendParts')
    }
  }

  #guard<T>(
    operation: string,
    limit: number | Deadline,
    run: (backend: ReplicaBackend, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const deadline = typeof limit === 'number' ? new Deadline(this.#env, limit) : limit
    const call = run(this.#backend, { timeoutMs: deadline.leftMs, deadline })
    return deadline.wait(call, () =>
      new Deadline(this.#env, GUARD_MS).wait(call, () =>
        Promise.reject(deadline.error(`${this.name} ${operation}`)),
      ),
    )
  }
}

function unsupported(text: string): StorageError {
  return new StorageError('UNSUPPORTED', text)
}

/** Adds the place to an error that does not name one yet. */
function withPlace(error: unknown, place: DatabasePlace, operation: string): StorageError {
  if (isStorageError(error) && error.place !== undefined) return error
  const code = isStorageError(error) ? error.code : 'UNAVAILABLE'
  const effect = isStorageError(error) ? error.effect : 'unknown'
  return new StorageError(code, namedOnce(place, messageOf(error)), {
    effect,
    place,
    operation,
    cause: error,
  })
}
