/*
 * The record of a conversation: a list of its own with an item for each field, so that changes of different
 * fields meet in both, and of two changes of one field the later one stands. A field that is taken away is
 * null: a removed id could not come back.
 *
 *   created           { at, entry }      `entry` is the id under which the tenant's list has it
 *   owner             { name, entry }    the same of the owner's lists; a change of owner makes a new one
 *   title             text
 *   metadata.<name>   anything of JSON
 *
 * An entry of a list counts while the record names it, so one that was left behind by two processes that
 * could not see each other says nothing.
 */
import { isoTime } from '../../core/iso-time.ts'
import { decodeJson, type JsonText } from '../../core/json.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import { maxStamp, stampMs, STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import type { Change } from '../../store/changes.ts'

/** When the conversation was created, and its entry in the tenant's list. */
export interface Created {
  readonly at: string
  readonly entry: string
}

/** Whose it is, and its entry in the owner's lists. */
export interface Owner {
  readonly name: string
  readonly entry: string
}

/** A record as it stands. */
export interface ConversationRecord {
  readonly created: Created
  readonly owner: Owner | undefined
  readonly title: string | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  /** Position of the latest change of any field. */
  readonly stamp: Stamp
  readonly updatedAt: string
}

const METADATA = 'metadata.'

/** What an entry of a list says. */
export interface Entry {
  readonly conversation: string
}

/** The record that these items make; undefined without one, whatever is left of an earlier one. */
export function recordOf(items: readonly Item[]): ConversationRecord | undefined {
  const metadata: [string, unknown][] = []
  let stamp: Stamp = STAMP_MIN
  let created: Created | undefined
  let owner: Owner | undefined
  let title: string | undefined
  for (const item of items) {
    const value = itemValue(item)
    if (value === undefined) continue
    stamp = maxStamp(stamp, item.position)
    const field = decodeJson<unknown>(value)
    if (field === null) continue
    if (item.id === 'created') created = field as Created
    else if (item.id === 'owner') owner = field as Owner
    else if (item.id === 'title') title = field as string
    else if (item.id.startsWith(METADATA)) metadata.push([item.id.slice(METADATA.length), field])
  }
  if (created === undefined) return undefined
  // The order in which they were changed is nobody's: sorted, both databases show the same.
  metadata.sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    created,
    owner,
    title,
    metadata: Object.fromEntries(metadata),
    stamp,
    updatedAt: isoTime(stampMs(stamp)),
  }
}

/** Names of the metadata that these items have, of an earlier record too. */
export function metadataNames(items: readonly Item[]): string[] {
  return items
    .filter((item) => item.id.startsWith(METADATA) && isSet(itemValue(item)))
    .map(({ id }) => id.slice(METADATA.length))
}

function isSet(value: JsonText | undefined): boolean {
  return value !== undefined && value !== 'null'
}

/** The change of a field. */
export function setField(key: string, id: string, value: unknown): Change {
  return { kind: 'put', key, id, value }
}

/** The changes of metadata. */
export function setMetadata(key: string, metadata: Readonly<Record<string, unknown>>): Change[] {
  return Object.entries(metadata).map(([name, value]) => setField(key, METADATA + name, value))
}
