import { invalid } from '../../core/errors.ts'
import { decodeJson } from '../../core/json.ts'
import type { StoreManagers } from '../../manager/store-managers.ts'
import { callSimple, valuesOnly } from '../call-simple.ts'
import type { StoreContext } from '../context.ts'
import { deletingManagers } from './deleting-managers.ts'
import type { WriteGroup, WriteOutcome, WritePort } from './write-port.ts'
import type { WriteStrategy } from './write-strategy.ts'

/** A strategy with nothing but `execute` behind the full port; its limits are at `WriteStrategy`. */
class SimpleWritePort implements WritePort {
  readonly valuesOnly = true
  readonly needsLog = false
  readonly name: string
  readonly config: object
  readonly #strategy: WriteStrategy
  readonly #managers: StoreManagers
  #deleting: StoreManagers | undefined

  constructor(strategy: WriteStrategy, managers: StoreManagers) {
    this.#strategy = strategy
    this.#managers = managers
    this.name = strategy.name
    this.config = strategy.config
  }

  async write({ env, log, cache }: StoreContext, group: WriteGroup): Promise<WriteOutcome> {
    const [operation, second] = group.operations
    if (operation === undefined || second !== undefined || group.mergeOnly === true) {
      throw valuesOnly(this.name, 'cannot write groups')
    }
    if (operation.kind === 'put') throw valuesOnly(this.name, 'cannot write lists')
    const { key } = operation
    const [value, managers] =
      operation.kind === 'set'
        ? [decodeJson<unknown>(operation.value), this.#managers]
        : [undefined, (this.#deleting ??= deletingManagers(this.#managers))]
    try {
      await callSimple(env, this.name, 'unknown', () =>
        this.#strategy.execute(key, value, managers, log.hasLog() ? log : undefined),
      )
    } finally {
      // Also after a failure: some place may have it.
      await cache?.changed([key])
    }
    // Which places have it, the strategy alone knows.
    return { operations: [operation], copies: [], durable: false }
  }
}

/** The full port of a write strategy of either form. */
export function writePortOf(
  strategy: WriteStrategy | WritePort,
  managers: StoreManagers,
): WritePort {
  const given = (strategy ?? {}) as Partial<WriteStrategy & WritePort>
  if (typeof given.write === 'function') return strategy as WritePort
  if (typeof given.execute !== 'function' || typeof given.name !== 'string') {
    throw invalid('writeStrategy must have a name and execute(key, value, managers, walManager)')
  }
  return new SimpleWritePort(strategy as WriteStrategy, managers)
}
