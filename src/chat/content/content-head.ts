/*
 * What is known of content, as items of its list `content/TENANT:NAME`:
 *
 *   at/UPLOAD          all of it is in the list `chunk/TENANT:UPLOAD`. Written last: without it there is nothing
 *   ref/CONVERSATION   the conversation may refer to it: written before the message that does
 *   seen               somebody saved it again
 *   doom/UPLOAD        it is about to be removed: nobody may begin to refer to it
 *
 * Each upload has chunks of its own, so that one that comes while another is removed is not touched.
 */
import { StorageError } from '../../core/errors.ts'
import { decodeJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'

/** Where all of it is. */
export interface Upload {
  readonly id: string
  readonly position: Stamp
  readonly chunks: number
  readonly size: number
  /** Of its bytes, hexadecimal. */
  readonly sha256: string
  readonly mediaType?: string
  readonly isDoomed: boolean
}

/** A conversation that may refer to it. */
export interface Reference {
  readonly conversationId: string
  readonly position: Stamp
}

/** All that is known of content. */
export interface ContentHead {
  readonly key: string
  readonly uploads: readonly Upload[]
  readonly references: readonly Reference[]
  /** When somebody last saved it; undefined without any upload. */
  readonly seen: Stamp | undefined
  readonly complete: boolean
}

/** Reads what is known of content. */
export async function readHead(store: StrategicStorageManager, key: string): Promise<ContentHead> {
  const items: Item[] = []
  let complete = true
  let after: Stamp | undefined
  for (;;) {
    const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest', ...(after && { after }) } as const
    const page = await store.readItems(query)
    complete &&= page.complete
    items.push(...page.items)
    after = page.items.at(-1)?.position
    if (page.done || after === undefined) break
  }
  const doomed = new Set(items.flatMap(({ id }) => idIn('doom/', id)))
  const uploads = items.flatMap((item) => {
    return idIn('at/', item.id).map((id) => uploadOf(item, id, doomed.has(id)))
  })
  const references = items.flatMap(({ id, position }) => {
    return idIn('ref/', id).map((conversationId) => ({ conversationId, position }))
  })
  const seen = items.filter(({ id }) => id === 'seen' || id.startsWith('at/')).at(-1)?.position
  return { key, uploads, references, seen, complete }
}

function idIn(prefix: string, id: string): string[] {
  return id.startsWith(prefix) ? [id.slice(prefix.length)] : []
}

function uploadOf(item: Item, id: string, isDoomed: boolean): Upload {
  const value = itemValue(item)
  const stored = value === undefined ? undefined : decodeJson<Partial<Upload> | null>(value)
  const { chunks, size, sha256, mediaType } = stored ?? {}
  if (chunks === undefined || size === undefined || sha256 === undefined) {
    throw new StorageError('CORRUPT', `what is known of content upload ${id} is damaged`)
  }
  const { position } = item
  const type = mediaType === undefined ? {} : { mediaType }
  return { id, position, chunks, size, sha256, ...type, isDoomed }
}

/** The first of those that stay. */
export function standing({ uploads }: ContentHead): Upload | undefined {
  return uploads.find(({ isDoomed }) => !isDoomed)
}
