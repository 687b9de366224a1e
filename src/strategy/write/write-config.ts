import { invalid } from '../../core/errors.ts'
import { boolean, byDefault, fields, integer, ms, positive } from '../../core/option-kinds.ts'
import { at, resolve, type OptionTable } from '../../core/options.ts'
import { DAY_MS } from '../../core/time.ts'
import { HEDGE_BOUNDS } from '../hedge-delay.ts'
import type { HedgeConfig, ResolvedWriteConfig, WriteConfig } from './write-port.ts'

export const HEDGE_OPTIONS: OptionTable<HedgeConfig, keyof HedgeConfig> = {
  enabled: byDefault(true, boolean()),
  minMs: byDefault(HEDGE_BOUNDS.minMs, ms(1, DAY_MS)),
  maxMs: byDefault(HEDGE_BOUNDS.maxMs, ms(1, DAY_MS)),
  factor: byDefault(HEDGE_BOUNDS.factor, positive()),
}

export const WRITE_OPTIONS: OptionTable<
  Omit<WriteConfig, 'hedge'> & { readonly hedge?: Required<HedgeConfig> },
  keyof WriteConfig
> = {
  enableIdempotency: byDefault(true, boolean()),
  decideWithoutPrimary: byDefault(true, boolean()),
  timeout: byDefault(5_000, ms(1, DAY_MS)),
  maxRetries: byDefault(2, integer(0, 100)),
  retryDelay: byDefault(50, ms(0, DAY_MS)),
  hedge: byDefault({ enabled: true, ...HEDGE_BOUNDS }, fields(HEDGE_OPTIONS)),
  minCopies: byDefault(1, integer(1, 3)),
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveWriteConfig(
  config: WriteConfig | undefined,
  path = '',
): ResolvedWriteConfig {
  const { timeout, retryDelay, ...same } = resolve(path, config, WRITE_OPTIONS)
  const { minMs, maxMs } = same.hedge
  if (maxMs < minMs) {
    throw invalid(`${at(path, 'hedge.maxMs')} must be at least minMs, ${minMs}, got ${maxMs}`)
  }
  return { ...same, timeoutMs: timeout, retryDelayMs: retryDelay }
}
