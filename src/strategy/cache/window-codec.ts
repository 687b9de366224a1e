import type { JsonText } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { EntryCodec } from './shared-cache.ts'

/** The last items of a conversation, newest first. */
export interface Window {
  readonly items: readonly Item[]
  /** True when the conversation has no older items. */
  readonly done: boolean
}

/** An item without its values, and their lengths in UTF-16 units; -1 for a value it has not. */
type Head = readonly [
  id: string,
  position: Stamp,
  appendedAt: Stamp | null,
  editedAt: Stamp | null,
  appendedUnits: number,
  editedUnits: number,
]

interface Header {
  readonly done: boolean
  readonly items: readonly Head[]
}

/**
 * One line of JSON that says what follows, then the values as they are: they are JSON already, and
 * as strings in a JSON of ours each of their quotes would be escaped and read twice.
 */
export const windowCodec: EntryCodec<Window> = {
  encode({ items, done }) {
    const header: Header = { done, items: items.map(headOf) }
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
    return at === text.length
      ? Object.freeze({ items: Object.freeze(items), done: header.done })
      : undefined
  },
}

function headOf({ id, position, appendedAt, editedAt, appended, edited }: Item): Head {
  const units = [appended?.length ?? -1, edited?.length ?? -1] as const
  return [id, position, appendedAt ?? null, editedAt ?? null, ...units]
}

/** Frozen: readers share the items of an entry. */
function itemOf(
  [id, position, appendedAt, editedAt, appendedUnits, editedUnits]: Head,
  take: (units: number) => JsonText | undefined,
): Item {
  const appended = take(appendedUnits)
  const edited = take(editedUnits)
  return Object.freeze({
    id,
    position,
    ...(appendedAt !== null && { appendedAt }),
    ...(appended !== undefined && { appended }),
    ...(editedAt !== null && { editedAt }),
    ...(edited !== undefined && { edited }),
    removed: false,
  })
}
