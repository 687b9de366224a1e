import { fieldsOf } from '../../core/given.ts'
import type { StoreManagers } from '../../manager/store-managers.ts'
import type { StoreContext } from '../context.ts'
import { storeOf } from '../store-calls.ts'
import { resolveWriteConfig } from './write-config.ts'
import { writeGroup } from './write-group.ts'
import type { PlaceStates, WritePolicy } from './write-policy.ts'
import type {
  ResolvedWriteConfig,
  WriteConfig,
  WriteGroup,
  WriteOutcome,
  WritePort,
} from './write-port.ts'
import type { WriteStrategy } from './write-strategy.ts'

/**
 * Acknowledges when both databases have the write, so the backup never lags. Is one of them out, or
 * late by the hedge delay, the other one and the log are enough.
 */
export class DualWriteStrategy implements WritePort, WriteStrategy {
  readonly name = 'dual-write'
  readonly config: Readonly<WriteConfig>
  readonly needsLog: boolean = false
  readonly #resolved: ResolvedWriteConfig

  constructor(config: WriteConfig = {}) {
    const given = fieldsOf('options', config)
    this.#resolved = resolveWriteConfig(given)
    this.config = Object.freeze(given)
  }

  write(context: StoreContext, group: WriteGroup): Promise<WriteOutcome> {
    return writeGroup(context, POLICY, this.#resolved, group)
  }

  /** One value by itself, in the store of these managers; `undefined` deletes. */
  async execute(key: string, value: unknown, managers: StoreManagers): Promise<WriteOutcome> {
    return await storeOf(managers).set(this, key, value)
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
