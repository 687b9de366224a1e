import type { JsonText } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Gone } from '../read/read-strategy.ts'
import type { EntryCodec } from './shared-cache.ts'

/** The last items of a conversation, newest first. */
export interface Window {
  readonly items: readonly Item[]
  /** True when the conversation has no older items. */
  readonly done: boolean
  readonly gone: Gone
}

/**
 * An item without its values, and their lengths in UTF-16 units; -1 for a value it has not. One that
 * was appended with an id of ours and never changed is its position and a length.
 */
type Head =
  | readonly [position: Stamp, appendedUnits: number]
  | readonly [
      id: string,
      position: Stamp,
      appendedAt: Stamp | null,
      editedAt: Stamp | null,
      appendedUnits: number,
      editedUnits: number,
    ]

interface Header {
  readonly done: boolean
  readonly removed: readonly string[]
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
    const header: Header = { done, removed, deletedThrough, items: items.map(headOf) }
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
    const items = header.items.map((head) => itemOf(head, take))
    if (at !== text.length) return undefined
    const { done, removed, deletedThrough } = header
    // Of an earlier version, which did not say what is gone.
    if (!Array.isArray(removed)) return undefined
    return { items, done, gone: { removed, deletedThrough: deletedThrough ?? undefined } }
  },
}

function headOf(item: Item): Head {
  const { id, position, appendedAt, editedAt, appended, edited } = item
  const isPlain = id === position && appendedAt === position && editedAt === undefined
  if (isPlain && appended !== undefined) return [position, appended.length]
  const units = [appended?.length ?? -1, edited?.length ?? -1] as const
  return [id, position, appendedAt ?? null, editedAt ?? null, ...units]
}

function itemOf(head: Head, take: (units: number) => JsonText | undefined): Item {
  if (head.length === 2) {
    const [position, units] = head
    const appended = take(units)!
    return { id: position, position, appendedAt: position, appended, removed: false }
  }
  const [id, position, appendedAt, editedAt, appendedUnits, editedUnits] = head
  const appended = take(appendedUnits)
  const edited = take(editedUnits)
  return {
    id,
    position,
    ...(appendedAt !== null && { appendedAt }),
    ...(appended !== undefined && { appended }),
    ...(editedAt !== null && { editedAt }),
    ...(edited !== undefined && { edited }),
    removed: false,
  }
}
