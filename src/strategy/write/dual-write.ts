import { BOTH_DATABASES } from './policies.ts'
import { PolicyWriteStrategy } from './policy-write-strategy.ts'
import type { WriteConfig } from './write-port.ts'

/**
 * Acknowledges when both databases have the write, so the backup never lags. If one of them is out, or
 * late by the hedge delay, the other one and the log are enough.
 */
export class DualWriteStrategy extends PolicyWriteStrategy {
  readonly name = 'dual-write'
  readonly needsLog: boolean = false

  constructor(config: WriteConfig = {}) {
    super(BOTH_DATABASES, config)
  }
}
