import { LOG_FIRST } from './policies.ts'
import { PolicyWriteStrategy } from './policy-write-strategy.ts'
import type { WriteConfig } from './write-port.ts'

/**
 * Acknowledges when the log has the write; the primary follows at once in the background, the
 * backup by flush. It survives both databases being down. A clear of another process that this one
 * has not heard of is ordered against a save by their clocks.
 */
export class WalFirstWriteStrategy extends PolicyWriteStrategy {
  readonly name = 'wal-first'
  readonly needsLog: boolean = true

  constructor(config: WriteConfig = {}) {
    super(LOG_FIRST, config)
  }
}
