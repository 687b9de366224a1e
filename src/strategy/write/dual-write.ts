import type { StoreContext } from '../context.ts'
import { resolveWriteConfig } from './write-config.ts'
import { writeGroup } from './write-group.ts'
import type { PlaceStates, WritePolicy } from './write-policy.ts'
import type {
  ResolvedWriteConfig,
  WriteConfig,
  WriteGroup,
  WriteOutcome,
  WriteStrategy,
} from './write-strategy.ts'

/**
 * Acknowledges when both databases have the write, so the backup never lags. Is one of them out, or
 * late by the hedge delay, the other one and the log are enough.
 */
export class DualWriteStrategy implements WriteStrategy {
  readonly type = 'dual-write'
  readonly needsLog: boolean = false
  readonly #config: ResolvedWriteConfig

  constructor(config: WriteConfig = {}) {
    this.#config = resolveWriteConfig(config)
  }

  execute(context: StoreContext, group: WriteGroup): Promise<WriteOutcome> {
    return writeGroup(context, POLICY, this.#config, group)
  }
}

const POLICY: WritePolicy = { atOnce: ['primary', 'backup', 'wal'], enough }

function enough(states: PlaceStates, overdue: boolean): boolean {
  const { primary, backup, wal } = states
  if (primary === 'done' && backup === 'done') return true
  const primaryOut = primary === 'failed' || overdue
  const backupOut = backup === 'failed' || overdue
  return wal === 'done' && ((backup === 'done' && primaryOut) || (primary === 'done' && backupOut))
}
