import { checkInteger, checkObject } from '../../core/limits.ts'
import { refuseUnknown, type FieldsOf } from '../../core/options.ts'
import type { PostgresOptions } from './options.ts'
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

const FIELDS: FieldsOf<PostgresPoolConfig> = {
  max: true,
  min: true,
  idleTimeoutMillis: true,
  acquireTimeoutMillis: true,
}

const CONNECTIONS_MAX = 1_000
const TIMER_MS_MAX = 2 ** 31 - 1

/** Fills the defaults in and refuses what cannot work. */
export function resolvePool(options: PostgresOptions): ResolvedPool {
  const { pool, maxConnections = 10, idleTimeoutMillis = 30_000 } = options
  checkInteger('maxConnections', maxConnections, 1, CONNECTIONS_MAX)
  checkInteger('idleTimeoutMillis', idleTimeoutMillis, 1, TIMER_MS_MAX)
  const givenPool = isPool(pool) ? pool : undefined
  const settings = isPool(pool) ? {} : checkSettings(pool ?? {})
  const { max = maxConnections, min = 0, acquireTimeoutMillis } = settings
  const idleTimeoutMs = settings.idleTimeoutMillis ?? idleTimeoutMillis
  checkInteger('pool.max', max, 1, CONNECTIONS_MAX)
  checkInteger('pool.min', min, 0, max)
  checkInteger('pool.idleTimeoutMillis', idleTimeoutMs, 1, TIMER_MS_MAX)
  if (acquireTimeoutMillis !== undefined) {
    checkInteger('pool.acquireTimeoutMillis', acquireTimeoutMillis, 1, TIMER_MS_MAX)
  }
  return { given: givenPool, max, min, idleTimeoutMs, acquireTimeoutMs: acquireTimeoutMillis }
}

function isPool(pool: PostgresOptions['pool']): pool is PgPool {
  return typeof (pool as { connect?: unknown } | undefined | null)?.connect === 'function'
}

function checkSettings(settings: PostgresPoolConfig): PostgresPoolConfig {
  checkObject('pool', settings)
  refuseUnknown('pool', settings, FIELDS)
  return settings
}
