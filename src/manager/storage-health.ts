import type { CacheBackend } from '../backend/cache-backend.ts'
import type { ReplicaBackend } from '../backend/replica-backend.ts'
import type { Env } from '../core/env.ts'
import { messageOf } from '../core/errors.ts'
import { withDeadline } from '../core/time.ts'

/** How one engine answered. */
export interface BackendHealth {
  /** `degraded`: it answers, but memory stands in for the engine that was asked for. */
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  /** Duration of the round trip in milliseconds, also of one that failed. */
  readonly latency: number
  /** Why it is unhealthy, without passwords. */
  readonly error?: string
}

/** The answer of `StorageManager.healthCheck`. */
export interface StorageHealth {
  readonly cache: boolean
  readonly database: boolean
  /** Both answered. */
  readonly overall: boolean
  readonly details: { readonly cache: BackendHealth; readonly database: BackendHealth }
}

/** Key of the value that a health check writes to the cache; it lives for seconds. */
const CACHE_KEY = 'everthread:health'
const CACHE_TTL_SECONDS = 10
/** Asks for a writer that never wrote. */
const WRITER = 'health-check'

/** A round trip to the database. Rejects when there is no answer in time. */
export async function probeDatabase(
  env: Env,
  database: ReplicaBackend,
  timeoutMs: number,
): Promise<void> {
  const answer = database.readState(WRITER, { timeoutMs })
  await withDeadline(env, timeoutMs, 'the database', answer, { effect: 'none' })
}

/** Writes a value to the cache and reads it back. Rejects when there is no answer in time. */
export async function probeCache(env: Env, cache: CacheBackend, timeoutMs: number): Promise<void> {
  const roundTrip = async (): Promise<void> => {
    await cache.set(CACHE_KEY, env.now(), CACHE_TTL_SECONDS)
    // Another process may have written since: any value proves the round trip.
    const found = await cache.get<number>(CACHE_KEY)
    if (found === undefined) throw new Error('what was written to the cache is not there')
  }
  await withDeadline(env, timeoutMs, 'the cache', roundTrip(), { effect: 'none' })
}

/** Runs a probe and says how it went. Never rejects. */
export async function measure(
  env: Env,
  fallback: boolean,
  redact: (text: string) => string,
  probe: () => Promise<void>,
): Promise<BackendHealth> {
  const startMs = env.monotonic()
  try {
    await probe()
    const latency = env.monotonic() - startMs
    return { status: fallback ? 'degraded' : 'healthy', latency }
  } catch (error) {
    const latency = env.monotonic() - startMs
    return { status: 'unhealthy', latency, error: redact(messageOf(error)) }
  }
}
