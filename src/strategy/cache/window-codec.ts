import type { JsonText } from '../../core/json.ts'
import { itemOfParts, type Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Gone } from '../read/read-port.ts'
import type { EntryCodec } from './shared-cache.ts'

/** The last items of a conversation, newest first. */
export interface Window {
  readonly items: readonly Item[]
  /** True when the conversation has no older items. */
  readonly done: boolean
  readonly gone: Gone
}

/**
 * A visible item without its values, and their lengths in UTF-16 units; -1 for a value it has not. One
 * that was appended with an id of ours and never changed is its position and a length.
 */
type Head =
  | readonly [position: Stamp, appendedUnits: number]
  | readonly [
      id: string,
      appendedAt: Stamp | null,
      appendedUnits: number,
      editedOf: Stamp | null,
      editedAt: Stamp | null,
      editedUnits: number,
      format: 2,
    ]

interface Header {
  readonly done: boolean
  readonly removed: readonly (readonly [id: string, removedOf: Stamp])[]
  readonly deletedThrough: Stamp | null
  readonly items: readonly Head[]
}

/**
 * One line of JSON that says what follows, then the values as they are: they are JSON already, and
 * as strings in a JSON of ours each of their quotes would be escaped and read twice.
 */
export const windowCodec: EntryCodec<Window> = {
  encode({ items, done, gone }) {
    const { removed, deletedThrough = null } = gone
    const header: Header = {
      done,
      removed: removed.map(({ id, removedOf }) => [id, removedOf!]),
      deletedThrough,
      items: items.map(headOf),
    }
    const values = items.map(({ appended = '', edited = '' }) => appended + edited)
    return `${JSON.stringify(header)}\n${values.join('')}`
  },

  decode(text) {
    const end = text.indexOf('\n')
    if (end < 0) return undefined
    const header = JSON.parse(text.slice(0, end)) as Header
    let at = end + 1
    const take = (units: number): JsonText | undefined => {
      if (units < 0) return undefined
      const value = text.slice(at, at + units)
      at += units
      return value as JsonText
    }
    if (!isKnown(header)) return undefined
    const items = header.items.map((head) => itemOf(head, take))
    if (at !== text.length) return undefined
    const { done, deletedThrough } = header
    const removed = header.removed.map(([id, removedOf]) => ({
      id,
      position: removedOf,
      removedOf,
    }))
    return { items, done, gone: { removed, deletedThrough: deletedThrough ?? undefined } }
  },
}

/** False for a header of an earlier version, which did not say to which position a part belongs. */
function isKnown({ items, removed }: Header): boolean {
  return (
    Array.isArray(removed) &&
    removed.every((entry) => Array.isArray(entry)) &&
    items.every((head) => head.length === 2 || head[6] === 2)
  )
}

function headOf(item: Item): Head {
  const { id, position, appendedAt, editedOf, editedAt, appended, edited } = item
  const isPlain = id === position && appendedAt === position && editedAt === undefined
  if (isPlain && appended !== undefined) return [position, appended.length]
  const [units, editedUnits] = [appended?.length ?? -1, edited?.length ?? -1]
  return [id, appendedAt ?? null, units, editedOf ?? null, editedAt ?? null, editedUnits, 2]
}

function itemOf(head: Head, take: (units: number) => JsonText | undefined): Item {
  if (head.length === 2) {
    const [position, units] = head
    const appended = take(units)!
    return { id: position, position, appendedAt: position, appended }
  }
  const [id, appendedAt, appendedUnits, editedOf, editedAt, editedUnits] = head
  const appended = take(appendedUnits)
  const edited = take(editedUnits)
  return itemOfParts(id, {
    ...(appendedAt !== null && { appendedAt }),
    ...(appended !== undefined && { appended }),
    ...(editedOf !== null && { editedOf }),
    ...(editedAt !== null && { editedAt }),
    ...(edited !== undefined && { edited }),
  })!
}
