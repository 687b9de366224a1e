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

/** Acknowledges when two of primary, backup and log have the write. The default. */
export class IdempotentWriteStrategy implements WritePort, WriteStrategy {
  readonly name = 'idempotent'
  readonly config: Readonly<WriteConfig>
  readonly needsLog: boolean = true
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

const POLICY: WritePolicy = { atOnce: ['primary', 'wal'], enough }

function enough(states: PlaceStates): boolean {
  const { primary, backup, wal } = states
  const copies = Number(primary === 'done') + Number(backup === 'done') + Number(wal === 'done')
  return copies >= 2
}
