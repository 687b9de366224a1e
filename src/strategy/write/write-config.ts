import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { HEDGE_BOUNDS } from '../hedge-delay.ts'
import type { ResolvedWriteConfig, WriteConfig } from './write-port.ts'

const DAY_MS = 86_400_000

/** Fills the defaults in and refuses what cannot work. */
export function resolveWriteConfig(config: WriteConfig = {}): ResolvedWriteConfig {
  const { enableIdempotency = true, timeout = 5_000, maxRetries = 2, retryDelay = 50 } = config
  const { enabled = true, ...bounds } = config.hedge ?? {}
  const { minMs, maxMs, factor } = { ...HEDGE_BOUNDS, ...bounds }
  const { minCopies = 1, decideWithoutPrimary = true } = config
  checkInteger('write.timeout', timeout, 1, DAY_MS)
  checkInteger('write.maxRetries', maxRetries, 0, 100)
  checkInteger('write.retryDelay', retryDelay, 0, DAY_MS)
  checkInteger('write.minCopies', minCopies, 1, 3)
  checkInteger('write.hedge.minMs', minMs, 1, DAY_MS)
  checkInteger('write.hedge.maxMs', maxMs, minMs, DAY_MS)
  if (!(factor > 0)) throw invalid(`write.hedge.factor must be above 0, got ${factor}`)
  return {
    enableIdempotency,
    decideWithoutPrimary,
    timeoutMs: timeout,
    maxRetries,
    retryDelayMs: retryDelay,
    hedge: { enabled, minMs, maxMs, factor },
    minCopies,
  }
}
