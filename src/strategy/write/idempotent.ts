import { TWO_COPIES } from './policies.ts'
import { PolicyWriteStrategy } from './policy-write-strategy.ts'
import type { WriteConfig } from './write-port.ts'

/** Acknowledges when two of primary, backup and log have the write. The default. */
export class IdempotentWriteStrategy extends PolicyWriteStrategy {
  readonly name = 'idempotent'
  readonly needsLog: boolean = true

  constructor(config: WriteConfig = {}) {
    super(TWO_COPIES, config)
  }
}
