import { invalid } from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { mapLimited } from '../../core/semaphore.ts'
import { STAMP_MIN } from '../../core/stamp.ts'
import type { StoreManagers } from '../../manager/store-managers.ts'
import { callSimple, valuesOnly } from '../call-simple.ts'
import type { StoreContext } from '../context.ts'
import type {
  CountedRead,
  ItemsRead,
  KeysRead,
  LatestRead,
  ReadPort,
  RegisterRead,
  RegistersRead,
} from './read-port.ts'
import type { ReadStrategy } from './read-strategy.ts'

/** Keys of one call that are read at once. */
const READS_AT_ONCE = 16

/** A strategy with nothing but `execute` behind the full port; its limits are at `ReadStrategy`. */
class SimpleReadPort implements ReadPort {
  readonly valuesOnly = true
  readonly name: string
  readonly config: object
  readonly #strategy: ReadStrategy
  readonly #managers: StoreManagers

  constructor(strategy: ReadStrategy, managers: StoreManagers) {
    this.#strategy = strategy
    this.#managers = managers
    this.name = strategy.name
    this.config = strategy.config
  }

  async readRegister({ env }: StoreContext, key: string): Promise<RegisterRead> {
    const value = await callSimple(env, this.name, 'none', () =>
      this.#strategy.execute(key, this.#managers),
    )
    // Of what it has read nobody knows the stamp, nor what it may lack.
    const register =
      value === undefined ? undefined : { value: encodeJson(value), stamp: STAMP_MIN }
    return { register, complete: false }
  }

  async readRegisters(context: StoreContext, keys: readonly string[]): Promise<RegistersRead> {
    const reads = await mapLimited(keys, READS_AT_ONCE, (key) => this.readRegister(context, key))
    return { registers: reads.map(({ register }) => register), complete: false }
  }

  async readItems(): Promise<ItemsRead> {
    throw valuesOnly(this.name, 'cannot read lists')
  }

  async readItemsById(): Promise<ItemsRead> {
    throw valuesOnly(this.name, 'cannot read lists')
  }

  async countItems(): Promise<CountedRead> {
    throw valuesOnly(this.name, 'cannot read lists')
  }

  async listKeys(): Promise<KeysRead> {
    throw valuesOnly(this.name, 'cannot list keys')
  }

  async listLatest(): Promise<LatestRead> {
    throw valuesOnly(this.name, 'cannot list keys')
  }
}

/** The full port of a read strategy of either form. */
export function readPortOf(strategy: ReadStrategy | ReadPort, managers: StoreManagers): ReadPort {
  const given = (strategy ?? {}) as Partial<ReadStrategy & ReadPort>
  if (typeof given.readRegister === 'function') return strategy as ReadPort
  if (typeof given.execute !== 'function' || typeof given.name !== 'string') {
    throw invalid('readStrategy must have a name and execute(key, managers)')
  }
  return new SimpleReadPort(strategy as ReadStrategy, managers)
}
