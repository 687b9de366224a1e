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

/** Acknowledges when two of primary, backup and log have the write. The default. */
export class IdempotentWriteStrategy implements WriteStrategy {
  readonly type = 'idempotent'
  readonly needsLog: boolean = true
  readonly #config: ResolvedWriteConfig

  constructor(config: WriteConfig = {}) {
    this.#config = resolveWriteConfig(config)
  }

  execute(context: StoreContext, group: WriteGroup): Promise<WriteOutcome> {
    return writeGroup(context, POLICY, this.#config, group)
  }
}

const POLICY: WritePolicy = { atOnce: ['primary', 'wal'], enough }

function enough(states: PlaceStates): boolean {
  const { primary, backup, wal } = states
  const copies = Number(primary === 'done') + Number(backup === 'done') + Number(wal === 'done')
  return copies >= 2
}
