import { invalid } from '../../../core/errors.ts'
import { byDefault, hasMethods, integer, ms } from '../../../core/option-kinds.ts'
import { at, resolve, type Option, type OptionTable } from '../../../core/options.ts'
import { TIMER_MS_MAX } from '../../../core/time.ts'
import type { PgPool } from './pg-types.ts'

/** Settings of our own pool. */
export interface PostgresPoolConfig {
  /** Connections at most. Default: `maxConnections`. */
  readonly max?: number
  /** Connections that are kept although nobody needs them; none is opened for it. Default: 0. */
  readonly min?: number
  /** Default: `idleTimeoutMillis`. */
  readonly idleTimeoutMillis?: number
  /**
   * Longest that a call waits for a connection that others use. Milliseconds. Default: as long as the call
   * may take.
   */
  readonly acquireTimeoutMillis?: number
}

export interface ResolvedPool {
  /** A pool of the application's own: nothing else counts then. */
  readonly given: PgPool | undefined
  readonly max: number
  readonly min: number
  readonly idleTimeoutMs: number
  readonly acquireTimeoutMs: number | undefined
}

export const CONNECTIONS: Option<number> = integer(1, 1_000)

export const POOL_OPTIONS: OptionTable<PostgresPoolConfig, 'min'> = {
  max: CONNECTIONS,
  min: byDefault(0, integer(0, 1_000)),
  idleTimeoutMillis: ms(1, TIMER_MS_MAX),
  acquireTimeoutMillis: ms(1, TIMER_MS_MAX),
}

/** A pool of the application's own, or settings of ours. */
export const POOL_OPTION: Option<PgPool | PostgresPoolConfig> = {
  takes: 'a pool of pg or an object',
  fields: POOL_OPTIONS,
  check: (path, given) => (isPool(given) ? given : resolve(path, given, POOL_OPTIONS)),
}

interface PoolChoice {
  readonly pool?: PgPool | PostgresPoolConfig
  readonly maxConnections: number
  readonly idleTimeoutMillis: number
}

/** The pool that checked options ask for. */
export function poolOf(options: PoolChoice, path: string): ResolvedPool {
  const { pool, maxConnections, idleTimeoutMillis } = options
  const own = isPool(pool) ? pool : undefined
  const { max = maxConnections, min = 0, ...times } = isPool(pool) ? {} : (pool ?? {})
  if (min > max) {
    throw invalid(`${at(path, 'pool.min')} must be an integer from 0 to ${max}, got ${min}`)
  }
  return {
    given: own,
    max,
    min,
    idleTimeoutMs: times.idleTimeoutMillis ?? idleTimeoutMillis,
    acquireTimeoutMs: times.acquireTimeoutMillis,
  }
}

function isPool(pool: unknown): pool is PgPool {
  return hasMethods(pool, ['connect'])
}
