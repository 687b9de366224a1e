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
 * Acknowledges when the log has the write; the primary follows at once in the background, the
 * backup by flush. It survives both databases being down. A clear of another process that this one
 * has not heard of is ordered against a save by their clocks.
 */
export class WalFirstWriteStrategy implements WriteStrategy {
  readonly type = 'wal-first'
  readonly needsLog: boolean = true
  readonly #config: ResolvedWriteConfig

  constructor(config: WriteConfig = {}) {
    this.#config = resolveWriteConfig(config)
  }

  execute(context: StoreContext, group: WriteGroup): Promise<WriteOutcome> {
    return writeGroup(context, POLICY, this.#config, group)
  }
}

const POLICY: WritePolicy = { atOnce: ['wal'], enough }

function enough(states: PlaceStates): boolean {
  if (states.wal === 'done') return true
  // Without the log it is two databases.
  return states.primary === 'done' && states.backup === 'done'
}
