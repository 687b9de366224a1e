import { hash } from 'node:crypto'
import type { JsonText } from '../core/json.ts'
import { remember } from '../core/lru.ts'
import type { Item } from '../core/merge.ts'
import { itemName, type AppendOperation, type Operation } from '../core/operation.ts'
import { STAMP_MIN, type Stamp } from '../core/stamp.ts'
import type { SeenTombstones } from './seen-tombstones.ts'

/** Ids that are remembered; the one that was told of first is forgotten first. */
const IDS_MAX = 20_000

const NOTHING = '' as JsonText
const UNKNOWN_EDIT = { editedAt: STAMP_MIN, edited: NOTHING }

interface Known {
  readonly position: Stamp
  /** Hash of the value as it was saved. */
  readonly saved?: string
  readonly edited?: boolean
  readonly removed?: boolean
}

/**
 * What this process acknowledged, and found removed, under callers' ids in this life. With both databases out and the entry
 * gone from the log nobody else could tell a repeat from a new save.
 */
export class KnownIds {
  readonly #ids = new Map<string, Known>()
  readonly #tombstones: SeenTombstones

  constructor(tombstones: SeenTombstones) {
    this.#tombstones = tombstones
  }

  /** These were acknowledged; of several positions of an id the greatest counts. */
  acknowledged(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.kind !== 'put') continue
      const name = itemName(operation)
      const { position } = operation
      const before = this.#ids.get(name)
      if (before !== undefined && before.position > position) continue
      // What is known of an earlier message of the id does not go with this one.
      const known = before?.position === position ? before : { position }
      if (operation.change !== 'append') {
        const change = operation.change === 'edit' ? { edited: true } : { removed: true }
        remember(this.#ids, name, { ...known, ...change }, IDS_MAX)
      } else if (known !== before) {
        remember(this.#ids, name, { ...known, saved: hashOf(operation.value) }, IDS_MAX)
      }
    }
  }

  /** Some place said that this one is removed: it stays so until a clear, whatever else is out. */
  removed(key: string, { id, position }: Item): void {
    const name = itemName({ key, id })
    const before = this.#ids.get(name)
    if (before === undefined || before.position <= position) {
      remember(this.#ids, name, { position, removed: true }, IDS_MAX)
    }
  }

  /** The item that stands under the id of this append, as far as is remembered; none once it was cleared. */
  itemOf(append: AppendOperation): Item | undefined {
    const known = this.#ids.get(itemName(append))
    if (known === undefined || known.position <= (this.#tombstones.get(append.key) ?? '')) {
      return undefined
    }
    const { position, saved, edited, removed } = known
    const { id, value } = append
    if (removed === true) return { id, position, removedOf: position }
    const isSame = saved === hashOf(value)
    // What was edited since counts as the same content, but was saved with another one.
    if (edited === true && !isSame) return { id, position, editedOf: position, ...UNKNOWN_EDIT }
    return { id, position, appendedAt: position, appended: isSame ? value : NOTHING }
  }
}

function hashOf(value: JsonText): string {
  return hash('sha1', value, 'base64')
}
