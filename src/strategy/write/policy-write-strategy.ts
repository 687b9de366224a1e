import { fieldsOf } from '../../core/given.ts'
import type { StoreManagers } from '../../manager/store-managers.ts'
import type { StoreContext } from '../context.ts'
import { storeOf } from '../store-calls.ts'
import { resolveWriteConfig } from './write-config.ts'
import { writeGroup } from './write-group.ts'
import type { WritePolicy } from './write-policy.ts'
import type {
  ResolvedWriteConfig,
  WriteConfig,
  WriteGroup,
  WriteOutcome,
  WritePort,
} from './write-port.ts'
import type { WriteStrategy } from './write-strategy.ts'

/** Writes as a policy says: our strategies differ in nothing else. */
export abstract class PolicyWriteStrategy implements WritePort, WriteStrategy {
  abstract readonly name: string
  abstract readonly needsLog: boolean
  readonly judgesConditions = true
  readonly config: Readonly<WriteConfig>
  readonly #policy: WritePolicy
  readonly #resolved: ResolvedWriteConfig

  constructor(policy: WritePolicy, config: WriteConfig) {
    const given = fieldsOf('options', config)
    this.#policy = policy
    this.#resolved = resolveWriteConfig(given)
    this.config = Object.freeze(given)
  }

  write(context: StoreContext, group: WriteGroup): Promise<WriteOutcome> {
    return writeGroup(context, this.#policy, this.#resolved, group)
  }

  /** One value by itself, in the store of these managers; `undefined` deletes. */
  async execute(key: string, value: unknown, managers: StoreManagers): Promise<WriteOutcome> {
    return await storeOf(managers).set(this, key, value)
  }
}
