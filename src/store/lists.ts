import { NameLock } from '../core/name-lock.ts'
import { encodeJson } from '../core/json.ts'
import { checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import { itemName, type AppendOperation, type Operation } from '../core/operation.ts'
import { STAMP_MIN, type Stamp } from '../core/stamp.ts'
import type { WriteOutcome, WritePort } from '../strategy/write/write-port.ts'
import { checkKey, checkStamp } from './check-arguments.ts'
import { checkGroup } from './check-group.ts'
import { encodeItems, type EncodedItem, type NewItem } from './new-values.ts'
import { recogniseIds } from './recognise-ids.ts'
import type { StoreCore } from './store-core.ts'
import type { Values } from './values.ts'

/** How long a save waits for those of its ids: as long as an attempt may take by default. Milliseconds. */
const ID_WAIT_MS = 5_000

/** What an append came to. */
export interface AppendOutcome extends WriteOutcome {
  /** One for each item, in their order. */
  readonly ids: readonly string[]
}

/** Writes to lists: what `StrategicStorageManager` makes of its calls. */
export class Lists {
  readonly #core: StoreCore
  readonly #values: Values
  readonly #write: WritePort
  /**
   * Only for writes with ids of the caller's: two of them at once in one process, with no database to decide,
   * would be two messages.
   */
  readonly #lock: NameLock

  constructor(core: StoreCore, values: Values, write: WritePort) {
    this.#core = core
    this.#values = values
    this.#write = write
    this.#lock = new NameLock({
      env: core.context.env,
      waitMs: ID_WAIT_MS,
      what: 'another save of the same id',
    })
  }

  async append(key: string, items: readonly NewItem[]): Promise<AppendOutcome> {
    checkKey(key)
    const encoded = encodeItems(items)
    const appends = this.#appends(key, encoded)
    const names = encoded.flatMap(({ id }) => (id === undefined ? [] : [itemName({ key, id })]))
    const outcome =
      names.length === 0
        ? await this.#values.write(this.#write, appends)
        : await this.#lock.run(names, () => this.#appendUnique(appends))
    return { ...outcome, ids: appends.map(({ id }) => id) }
  }

  async edit(key: string, id: string, position: Stamp, value: unknown): Promise<WriteOutcome> {
    checkKey(key)
    checkText('id', id, MESSAGE_ID_BYTES_MAX)
    checkStamp('position', position)
    const text = encodeJson(value)
    const stamp = this.#core.context.clock.tick(key)
    const edit = { kind: 'put', change: 'edit', key, id, position, stamp, value: text } as const
    return await this.#told(this.#values.write(this.#write, [edit]))
  }

  async remove(key: string, id: string, position: Stamp): Promise<WriteOutcome> {
    checkKey(key)
    checkText('id', id, MESSAGE_ID_BYTES_MAX)
    // An item that is removed and cleared has no position left.
    if (position !== STAMP_MIN) checkStamp('position', position)
    const stamp = this.#core.context.clock.tick(key)
    const removal = { kind: 'put', change: 'remove', key, id, position, stamp } as const
    return await this.#told(this.#values.write(this.#write, [removal]))
  }

  async deleteThrough(key: string, position: Stamp): Promise<WriteOutcome> {
    checkKey(key)
    checkStamp('position', position)
    const operations: readonly Operation[] = [{ kind: 'delete', key, stamp: position }]
    const group = { operations, unique: false, mergeOnly: true }
    return await this.#core.run(() => this.#write.write(this.#core.context, group))
  }

  async #appendUnique(appends: readonly AppendOperation[]): Promise<WriteOutcome> {
    checkGroup(appends)
    return await this.#core.run(async () => {
      const { context } = this.#core
      const { operations, earlier } = await recogniseIds(context, appends)
      const repeat = earlier.length > 0 && { repeat: { earlier, given: appends } }
      const group = { operations, unique: true, ...repeat }
      return await this.#told(this.#write.write(context, group))
    })
  }

  /** What is acknowledged under an id of the caller's is known from here on. */
  async #told(written: Promise<WriteOutcome>): Promise<WriteOutcome> {
    const outcome = await written
    this.#core.context.known.acknowledged(outcome.operations)
    return outcome
  }

  #appends(key: string, items: readonly EncodedItem[]): AppendOperation[] {
    const { clock } = this.#core.context
    return items.map(({ id, value, position: given }) => {
      const position = given ?? clock.tick(key)
      const put = { kind: 'put', change: 'append', key, value } as const
      return { ...put, id: id ?? position, position, stamp: position }
    })
  }
}
