/*
 * Forks, and what keeps their messages when the conversation that they share changes. A fork is three items
 * in one group, however long the conversation is: the tombstone and the marker of its list, and its name in the
 * source's list of forks. Whoever is about to edit or remove messages that forks share first copies them into
 * each fork (`shared/`), as they stand, with their ids and positions: a merge that may be cut off and
 * repeated. So at every moment a fork has its messages either from there or from the source.
 */
import { hash } from 'node:crypto'
import type { Condition } from '../../core/conditions.ts'
import { isOutage, StorageError } from '../../core/errors.ts'
import { decodeJson, encodeJson, isJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, operationsOfItem, type Item } from '../../core/merge.ts'
import { operationBytes, type Operation } from '../../core/operation.ts'
import { isStamp, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../../strategy/write/write-port.ts'
import { isMessageText } from '../codec.ts'
import { conversationKey, sideKey } from '../keys.ts'
import { settleItem } from '../streams/settle-item.ts'
import {
  ConversationView,
  FORK_DEPTH_MAX,
  type ListReader,
  type ViewItem,
} from './conversation-view.ts'
import {
  encodeMarker,
  MARKER_ID,
  markerPosition,
  stampAfter,
  stampBefore,
  type ForkMarker,
} from './fork-marker.ts'

/** Most bytes of one group of copies; one larger message goes alone. */
const COPY_BYTES_MAX: number = 4 * 1024 * 1024
/** Messages of one group of copies. */
const COPY_MESSAGES = 200
/** Conversations with forks that one history remembers; with more, no clear goes ahead without looking. */
const KNOWN_SOURCES_MAX = 4096

/** A fork as the source knows it. */
export interface ForkEntry {
  readonly conversationId: string
  readonly messageId: string
  readonly through: Stamp
  /** It has copies of all that it shared: the conversation in between is gone. */
  readonly isCopied?: boolean
}

/** Which messages are about to change: all, or those within these positions, both included. */
export interface ChangedRange {
  readonly from?: Stamp
  readonly through?: Stamp
  /** Also messages go that this process cannot see: it must see all. */
  readonly isWhole?: boolean
}

/** Reads and writes what makes forks, in one tenant. */
export class Forks {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly view: ConversationView
  /** Conversations that this history has seen forks of. */
  readonly #sources = new Set<string>()

  constructor(store: StrategicStorageManager, tenant: string) {
    this.#store = store
    this.#tenant = tenant
    this.view = new ConversationView(storeReader(store), tenant)
  }

  /** Makes a list that shares what the marker says; the same again is harmless. */
  async create(
    conversationId: string,
    marker: ForkMarker & { readonly conversationId: string },
  ): Promise<WriteOutcome> {
    const { messageId, through } = marker
    const key = conversationKey(this.#tenant, conversationId)
    const at = markerPosition(marker)
    const append = { kind: 'put', change: 'append', position: at, stamp: at } as const
    return await this.#store.mergeGroup([
      { kind: 'delete', key, stamp: through },
      { ...append, key, id: MARKER_ID, value: encodeMarker(marker) },
      this.#entry(marker.conversationId, { conversationId, messageId, through }),
    ])
  }

  /**
   * What a fork behind a message refers to: the conversation whose list has it, if the ones in between changed
   * nothing of it. So forks of forks do not stand deeper than they must. `depth`: how many forks the source
   * itself shares through.
   */
  async origin(
    conversationId: string,
    position: Stamp,
  ): Promise<{ readonly source: string; readonly depth: number }> {
    let source = conversationId
    let { marker } = await this.view.marker(source)
    while (marker !== undefined && position <= marker.through) {
      if (await this.#hasOwnOfShared(source)) break
      if (marker.conversationId === undefined) break
      source = marker.conversationId
      marker = (await this.view.marker(source)).marker
    }
    let depth = 0
    for (; marker?.conversationId !== undefined && depth < FORK_DEPTH_MAX; depth++) {
      marker = (await this.view.marker(marker.conversationId)).marker
    }
    return { source, depth }
  }

  /** Forks of a conversation that are still there, the first made first. `last`: where the list of them ends. */
  async list(conversationId: string): Promise<{
    readonly forks: readonly ForkEntry[]
    readonly last: Stamp | null
    readonly complete: boolean
  }> {
    const key = sideKey('forks', this.#tenant, conversationId)
    const forks: ForkEntry[] = []
    let last: Stamp | null = null
    let complete = true
    let after: Stamp | undefined
    for (;;) {
      const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest' } as const
      const page = await this.#store.readItems({ ...query, ...(after !== undefined && { after }) })
      complete &&= page.complete
      for (const item of page.items) {
        const before: Stamp | null = last
        last = item.position
        const entry = parseEntry(item)
        if (entry === undefined) continue
        this.#remember(conversationId)
        const { marker, complete: isCertain } = await this.view.marker(entry.conversationId)
        if (marker?.through === entry.through || !isCertain) forks.push(entry)
        else {
          await this.#store.mergeGroup([removal(key, item)])
          last = before
        }
      }
      after = page.items.at(-1)?.position
      if (page.done || after === undefined) return { forks, last, complete }
    }
  }

  /**
   * Copies what forks share of a conversation within a range, before it changes there.
   *
   * @throws StorageError `UNAVAILABLE`, before the change, when there are forks, and a place is away that may
   * have messages that they share and that are about to go unseen.
   */
  async protect(conversationId: string, range: ChangedRange = {}): Promise<void> {
    const { forks } = await this.list(conversationId)
    await this.#copyShared(conversationId, forks, range)
  }

  async #copyShared(
    conversationId: string,
    forks: readonly ForkEntry[],
    range: ChangedRange,
  ): Promise<void> {
    for (const fork of forks) {
      if (fork.isCopied || (range.from !== undefined && fork.through < range.from)) continue
      const { through = fork.through } = range
      const last = through < fork.through ? through : fork.through
      await this.#copy(conversationId, fork.conversationId, { ...range, through: last })
    }
  }

  /**
   * The same before a conversation goes as a whole. Its forks are noted at the one that it shares messages of
   * itself, so that an erase there finds them. Resolves with what holds as long as nobody makes another one.
   *
   * @param isBlind Where no list can be read, and this history has seen no fork of it, it is taken to have none.
   * @throws StorageError `UNAVAILABLE` like `protect`, and when no list can be read otherwise.
   */
  async release(conversationId: string, isBlind: boolean): Promise<readonly Condition[]> {
    const [listed] = await Promise.all([
      this.list(conversationId).catch((error: unknown) => {
        if (isBlind && isOutage(error) && !this.#mayBeSource(conversationId)) return undefined
        throw error
      }),
      this.#seeLatest(conversationId),
    ])
    if (listed === undefined) {
      return [{ key: sideKey('forks', this.#tenant, conversationId), last: null }]
    }
    const { forks, last } = listed
    await this.#copyShared(conversationId, forks, { isWhole: true })
    const unforked = [{ key: sideKey('forks', this.#tenant, conversationId), last }]
    if (forks.length === 0) return unforked
    const { marker } = await this.view.marker(conversationId)
    if (marker?.conversationId === undefined) return unforked
    for (const fork of forks) {
      const entry = this.#entry(marker.conversationId, { ...fork, isCopied: true })
      await this.#store.mergeGroup([entry])
    }
    return unforked
  }

  /**
   * What goes as a whole goes up to a stamp of this process, and the primary alone judges the group. Its clock is
   * moved behind what the other place has, which another process may have saved there alone.
   */
  async #seeLatest(conversationId: string): Promise<void> {
    const key = conversationKey(this.#tenant, conversationId)
    await this.#store.readItems({ key, limit: 1, order: 'newest' }).catch((error: unknown) => {
      if (!isOutage(error)) throw error
    })
  }

  /**
   * Cuts a conversation behind what it is to keep, where too much follows to remove it one by one: what it keeps is
   * copied, as into a fork, where no reader looks; then one group puts a tombstone over all of its list up to
   * `last`, and a marker behind that, from which on readers look there. Returns how many messages were kept.
   */
  async cutBehind(
    conversationId: string,
    { from, last }: { readonly from: Stamp; readonly last: Stamp },
  ): Promise<{ readonly kept: number; readonly outcome: WriteOutcome }> {
    const key = conversationKey(this.#tenant, conversationId)
    const copies = sideKey('shared', this.#tenant, conversationId)
    const { marker: old } = await this.view.marker(conversationId)
    const through = stampBefore(from)
    let kept = 0
    let messageId = ''
    // Once more for what was edited or removed while it was copied.
    for (let pass = 0; pass < 2; pass++) {
      const seen = await this.#copyAll(conversationId, copies, through)
      kept = seen.ids.size
      messageId = seen.last
      if (pass > 0) await this.#dropCopies(copies, { before: from }, seen.ids)
    }
    const marker = { messageId, through: last, upTo: through }
    const at = markerPosition(marker)
    const append = { kind: 'put', change: 'append', position: at, stamp: at } as const
    const begin: Operation = { ...append, key, id: MARKER_ID, value: encodeMarker(marker) }
    const entry = { conversationId, messageId, through: last, isCopied: true }
    const outcome = await this.#store.mergeGroup([
      { kind: 'delete', key, stamp: last },
      ...(kept > 0 ? [begin] : [{ kind: 'delete', key: copies, stamp: last } as const]),
      ...(old?.conversationId === undefined ? [] : [this.#entry(old.conversationId, entry)]),
    ])
    // Nobody is shown these any more.
    await this.#dropCopies(copies, { after: through })
    return { kept, outcome }
  }

  async #copyAll(
    conversationId: string,
    copies: string,
    through: Stamp,
  ): Promise<{ readonly ids: ReadonlySet<string>; readonly last: string }> {
    const ids = new Set<string>()
    let last = ''
    let after: Stamp | undefined
    for (;;) {
      const query = { order: 'oldest', limit: PAGE_ITEMS_MAX, before: stampAfter(through) } as const
      const page = await this.view.page(conversationId, { ...query, ...(after && { after }) })
      const parts: Operation[][] = []
      for (const { key, item } of page.items) {
        ids.add(item.id)
        last = item.id
        if (key === copies) continue
        parts.push(...(await this.#copyOf(conversationId, key, item, copies)))
      }
      for (const part of groups(parts)) await this.#store.mergeGroup(part)
      after = page.next
      if (after === undefined) return { ids, last }
    }
  }

  /** Removes copies within these bounds, but for those to be kept: what went meanwhile, or behind the cut. */
  async #dropCopies(
    key: string,
    bounds: { readonly before?: Stamp; readonly after?: Stamp },
    kept: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    let { after } = bounds
    for (;;) {
      const query = { key, order: 'oldest', limit: PAGE_ITEMS_MAX } as const
      const page = await this.#store.readItems({ ...query, ...bounds, ...(after && { after }) })
      const others = page.items.filter(({ id }) => !kept.has(id))
      if (others.length > 0) await this.#store.mergeGroup(others.map((item) => removal(key, item)))
      after = page.items.at(-1)?.position
      if (page.done || after === undefined) return
    }
  }

  #remember(source: string): void {
    if (this.#sources.size < KNOWN_SOURCES_MAX) this.#sources.add(source)
  }

  #mayBeSource(conversationId: string): boolean {
    return this.#sources.has(conversationId) || this.#sources.size >= KNOWN_SOURCES_MAX
  }

  #entry(source: string, entry: ForkEntry): Operation {
    this.#remember(source)
    const key = sideKey('forks', this.#tenant, source)
    const at = this.#store.stamp(key)
    const id = hash('sha256', entry.conversationId, 'hex').slice(0, 40)
    const value = encodeJson(entry)
    return { kind: 'put', change: 'append', key, id, position: at, stamp: at, value }
  }

  async #hasOwnOfShared(conversationId: string): Promise<boolean> {
    const key = sideKey('shared', this.#tenant, conversationId)
    return await this.#store.exists(key)
  }

  async #copy(
    source: string,
    fork: string,
    { from, through, isWhole = false }: ChangedRange & { readonly through: Stamp },
  ): Promise<void> {
    const key = sideKey('shared', this.#tenant, fork)
    let after = from && stampBefore(from)
    for (;;) {
      const query = { order: 'oldest', limit: COPY_MESSAGES, before: stampAfter(through) } as const
      const page = await this.view.page(source, { ...query, ...(after && { after }) })
      if (isWhole && !page.complete) throw outOfReach(source)
      const copies = await this.#copiesOf(source, key, page.items)
      for (const part of groups(copies)) await this.#store.mergeGroup(part)
      after = page.next
      if (after === undefined) return
    }
  }

  /** The operations of each message that the fork does not have for itself. */
  async #copiesOf(source: string, key: string, items: readonly ViewItem[]): Promise<Operation[][]> {
    const ids = items.map(({ item }) => item.id)
    const kept = ids.length === 0 ? [] : (await this.#store.readItemsById(key, ids)).items
    const isKept = new Set(kept.map(({ id }) => id))
    const copies: Operation[][] = []
    for (const { key: from, item } of items) {
      if (isKept.has(item.id)) continue
      copies.push(...(await this.#copyOf(source, from, item, key)))
    }
    return copies
  }

  /** The operations that copy a message to another list: of one that is being written what had come of it. */
  async #copyOf(source: string, from: string, item: Item, to: string): Promise<Operation[][]> {
    const copies: Operation[][] = []
    for (const whole of await this.#store.decodeItems(from, [item], intact, isMessageText)) {
      const settled = await settleItem(this.#store, from, whole)
      if (!settled.complete) throw outOfReach(source)
      copies.push(operationsOfItem(to, settled.item))
    }
    return copies
  }
}

/** Reads the lists of a store. */
export function storeReader(store: StrategicStorageManager): ListReader {
  return {
    readItems: (query) => store.readItems(query),
    readItemsById: (key, ids) => store.readItemsById(key, ids),
    mend: async (key, item, isIntact) => {
      const check = (each: Item): Item => {
        if (isIntact(itemValue(each)!)) return each
        throw new StorageError('CORRUPT', `the beginning of fork ${JSON.stringify(key)} is damaged`)
      }
      return (await store.decodeItems(key, [item], check, isIntact))[0]
    },
  }
}

/** Parts of at most so many bytes and operations, in order; what is larger alone stands alone. */
export function groups(parts: readonly (readonly Operation[])[]): Operation[][] {
  const made: Operation[][] = []
  let bytes = Infinity
  for (const part of parts) {
    const more = part.reduce((sum, operation) => sum + operationBytes(operation), 0)
    const isFull = (made.at(-1)?.length ?? 0) + part.length > COPY_MESSAGES * 2
    if (isFull || bytes + more > COPY_BYTES_MAX) {
      made.push([])
      bytes = 0
    }
    made.at(-1)!.push(...part)
    bytes += more
  }
  return made
}

/** The removal of an item, with the stamp that a copy of it has everywhere. */
export function removal(key: string, { id, position }: Item): Operation {
  return { kind: 'put', change: 'remove', key, id, position, stamp: position }
}

function intact(item: Item): Item {
  if (isMessageText(itemValue(item)!)) return item
  throw new StorageError('CORRUPT', `message ${JSON.stringify(item.id)} is damaged`)
}

function parseEntry(item: Item): ForkEntry | undefined {
  const text = itemValue(item)
  if (text === undefined || !isJson(text)) return undefined
  const entry = decodeJson<Partial<ForkEntry> | null>(text) ?? {}
  const { conversationId, messageId, through, isCopied = false } = entry
  if (typeof conversationId !== 'string' || typeof messageId !== 'string') return undefined
  return isStamp(through) ? { conversationId, messageId, through, isCopied } : undefined
}

function outOfReach(conversationId: string): StorageError {
  return new StorageError(
    'UNAVAILABLE',
    `forks share messages of conversation ${JSON.stringify(conversationId)}, and a place that may have more of them cannot be reached`,
    { operation: 'write' },
  )
}
