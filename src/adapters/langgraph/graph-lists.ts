/* Reads and writes of the lists of `thread-keys.ts`. */
import { StorageError } from '../../core/errors.ts'
import { GROUP_BYTES_MAX, PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { remember } from '../../core/lru.ts'
import { itemName } from '../../core/operation.ts'
import { slicesOf } from '../../core/slices-of.ts'
import type { Stamp } from '../../core/stamp.ts'
import { compareText } from '../../core/text.ts'
import type { DecodedItem } from '../../store/bulk/bulk-types.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { KeysRead } from '../../strategy/read/read-port.ts'
import type { Packed } from './packed.ts'
import {
  nameOf,
  ownWritesKey,
  ownWritesPrefix,
  pieceName,
  sharedWritesKey,
  valueName,
  type Place,
} from './thread-keys.ts'

/** Longest text that one item holds; as JSON it is at most three times as many bytes. UTF-16 units. */
const PIECE_LENGTH: number = 1024 * 1024
/** Most of one group, as `lengthOf` counts: with what stands beside the texts it is less than a group may be. */
const GROUP_LENGTH_MAX: number = (GROUP_BYTES_MAX / 16) * 7
const GROUP_CHANGES_MAX = 500
/** Values that are asked for by one call. */
const VALUES_AT_ONCE = 200
/** Pieces of a long value that are asked for by one call. */
const PIECES_AT_ONCE = 4

/** Checkpoints that are remembered. */
const KNOWN_MAX = 10_000
/** Lists of single checkpoints that are read without a look which there are. */
const OWN_LISTS_ASKED = 4

/** A checkpoint as it is stored. */
export interface StoredCheckpoint {
  readonly thread: string
  readonly namespace: string
  /** Absent: it has none. */
  readonly parent?: string
  /** Its writes in the shared list come later. */
  readonly since: Stamp
  readonly checkpoint: Packed
  readonly metadata: Packed
}

/** Writes of one task as they are stored. */
interface StoredWrites {
  /** Name of the checkpoint. */
  readonly of: string
  readonly task: string
  readonly path: string
  readonly writes: readonly (readonly [channel: string, index: number, value: Packed | Stowed])[]
}

/** A long value is an item of its own, under this name. */
interface Stowed {
  readonly stowed: string
}

/** The first piece of a value, and of how many. */
interface FirstPiece {
  readonly value: Packed
  readonly pieces?: number
}

/** A write of a task, in its place among those of its checkpoint. */
export interface Write {
  readonly task: string
  readonly path: string
  readonly channel: string
  readonly index: number
  readonly value: Packed
}

/** A value of a channel that is new. */
export interface NewValue {
  readonly channel: string
  readonly version: string | number
  readonly value: Packed
}

/** What is in a list of writes: long values beside those. */
type InWrites = StoredWrites | FirstPiece | string

type PutValue = StoredCheckpoint | FirstPiece | string

interface Put {
  readonly kind: 'put'
  readonly key: string
  readonly id: string
  readonly value: PutValue
}

/** Whose writes are asked for. */
export interface Step {
  readonly id: string
  readonly since: Stamp
}

export class GraphLists {
  readonly #store: StrategicStorageManager
  /** Checkpoints that are known to be stored, and since when: what is written from now on stands behind them. */
  readonly #known = new Map<string, Stamp>()

  constructor(store: StrategicStorageManager) {
    this.#store = store
  }

  /** The checkpoint goes last: whoever sees it finds its values. */
  async saveCheckpoint(
    place: Place,
    id: string,
    stored: Omit<StoredCheckpoint, 'since'>,
    values: readonly NewValue[],
  ): Promise<void> {
    const { checkpoints: key } = place
    const name = nameOf(id)
    // One that is put again stands behind its writes.
    const since = this.#known.get(itemName({ key, id: name })) ?? this.#store.groups.newId()
    const value: StoredCheckpoint = { ...stored, since }
    const puts = values.flatMap(({ channel, version, value: packed }) =>
      piecesOf(place.values, valueName(channel, version), packed),
    )
    await this.#write([...puts, { kind: 'put', key, id: name, value }])
    this.#knows(key, [{ id: name, value }])
  }

  /** One item, whatever there are of before: what a repeat of a task may change is decided by who reads. */
  async saveWrites(
    place: Place,
    checkpointId: string,
    written: Omit<StoredWrites, 'of' | 'writes'>,
    writes: readonly (readonly [channel: string, index: number, value: Packed])[],
  ): Promise<void> {
    const id = nameOf(checkpointId)
    const isKnown = this.#known.has(itemName({ key: place.checkpoints, id }))
    const shared = isKnown ? sharedWritesKey(place, checkpointId) : undefined
    const key = shared ?? ownWritesKey(place, checkpointId)
    const length = writes.reduce(
      (sum, [channel, , [, data]]) => sum + channel.length + data.length,
      0,
    )
    const stored = length > PIECE_LENGTH ? await this.#stow(key, writes) : writes
    const value: StoredWrites = { of: id, ...written, writes: stored }
    await this.#store.appendItems(key, [{ value }])
  }

  async latest(key: string): Promise<readonly DecodedItem<StoredCheckpoint>[]> {
    return (await this.page(key, { limit: 1 })).items
  }

  async byId(key: string, id: string): Promise<readonly DecodedItem<StoredCheckpoint>[]> {
    const page = await this.#store.getItemsById<StoredCheckpoint>(key, [nameOf(id)])
    this.#knows(key, page.items)
    return page.items
  }

  /** Checkpoints, the latest first. */
  async page(
    key: string,
    { before, limit }: { readonly before?: Stamp | undefined; readonly limit: number },
  ): Promise<{ readonly items: readonly DecodedItem<StoredCheckpoint>[]; readonly done: boolean }> {
    const from = before !== undefined && { before }
    const query = { key, limit, order: 'newest', ...from } as const
    const page = await this.#store.getItems<StoredCheckpoint>(query)
    this.#knows(key, page.items)
    return page
  }

  /** The values that are there, by their names. */
  async values({ values }: Place, names: readonly string[]): Promise<ReadonlyMap<string, Packed>> {
    const found = new Map<string, Packed>()
    for (const slice of slicesOf([...new Set(names)], VALUES_AT_ONCE)) {
      const { items } = await this.#store.getItemsById<FirstPiece>(values, slice)
      for (const { id, value } of items) {
        found.set(
          id,
          value.pieces === undefined ? value.value : await this.#whole(values, id, value),
        )
      }
    }
    return found
  }

  /** The writes of each of these checkpoints, in the order in which the framework applies them. */
  async writes(place: Place, steps: readonly Step[]): Promise<readonly (readonly Write[])[]> {
    const from = new Map<string, Stamp | undefined>()
    for (const { id, since } of steps) {
      const key = sharedWritesKey(place, id)
      const least = key && from.get(key)
      if (key !== undefined && (least === undefined || since < least)) from.set(key, since)
    }
    for (const key of await this.#ownWrites(place, steps)) from.set(key, undefined)
    const lists = await Promise.all(
      [...from].map(([key, after]) => this.#all<InWrites>(key, after)),
    )
    const items = lists.flat().toSorted((a, b) => compareText(a.position, b.position))
    return steps.map(({ id }) => writesOf(nameOf(id), items))
  }

  /** The lists of single checkpoints: of many it is looked up which there are. */
  async #ownWrites(place: Place, steps: readonly { readonly id: string }[]): Promise<string[]> {
    const keys = steps.map(({ id }) => ownWritesKey(place, id))
    if (keys.length <= OWN_LISTS_ASKED) return keys
    const there = new Set<string>()
    for await (const key of this.keys(ownWritesPrefix(place))) there.add(key)
    return keys.filter((key) => there.has(key))
  }

  /** Keys that begin so, in their order. */
  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { keys } of this.#keyPages(prefix)) yield* keys
  }

  /**
   * Removes all keys with these prefixes, those of the first one first.
   *
   * @throws StorageError `UNAVAILABLE` while a place is away that may have more; what was found is removed then.
   */
  async remove(prefixes: readonly string[]): Promise<void> {
    const pages = await Promise.all(prefixes.map((prefix) => this.#allKeys(prefix)))
    await this.#store.deleteMany(pages.flatMap(({ keys }) => keys))
    if (pages.every(({ complete }) => complete)) return
    const text = 'a place is away that may have more to be removed: repeat it'
    throw new StorageError('UNAVAILABLE', text, { effect: 'unknown', operation: 'delete' })
  }

  /** Removes the lists of writes that only checkpoints which are gone had. */
  async removeWrites(place: Place, old: readonly Step[], kept: readonly Step[]): Promise<void> {
    const used = new Set(kept.map(({ id }) => sharedWritesKey(place, id)))
    const shared = old.flatMap(({ id }) => sharedWritesKey(place, id) ?? [])
    const unused = [...new Set(shared)].filter((key) => !used.has(key))
    await this.#store.deleteMany([...unused, ...(await this.#ownWrites(place, old))])
  }

  /** Removes what stands in these lists up to a position. */
  async removeThrough(keys: readonly string[], position: Stamp): Promise<void> {
    await this.#store.mergeGroup(keys.map((key) => ({ kind: 'delete', key, stamp: position })))
  }

  /** Puts those of the values that stand up to a position at the end of their list. */
  async moveBehind(
    { values: key }: Place,
    names: readonly string[],
    position: Stamp,
  ): Promise<void> {
    for (const slice of slicesOf([...new Set(names)], VALUES_AT_ONCE)) {
      const { items } = await this.#store.getItemsById<FirstPiece>(key, slice)
      for (const { id, value, position: at } of items) {
        if (at > position) continue
        const whole = value.pieces === undefined ? value.value : await this.#whole(key, id, value)
        await this.#write(piecesOf(key, id, whole))
      }
    }
  }

  #knows(
    key: string,
    items: readonly { readonly id: string; readonly value: StoredCheckpoint }[],
  ): void {
    for (const { id, value } of items) {
      remember(this.#known, itemName({ key, id }), value.since, KNOWN_MAX)
    }
  }

  async #allKeys(prefix: string): Promise<{ readonly keys: string[]; readonly complete: boolean }> {
    const all = { keys: [] as string[], complete: true }
    for await (const { keys, complete } of this.#keyPages(prefix)) {
      all.keys.push(...keys)
      all.complete &&= complete
    }
    return all
  }

  async *#keyPages(prefix: string): AsyncGenerator<KeysRead> {
    let after: string | undefined
    for (;;) {
      const from = after !== undefined && { after }
      const page = await this.#store.listKeys({ prefix, limit: PAGE_ITEMS_MAX, ...from })
      yield page
      after = page.keys.at(-1)
      if (page.done || after === undefined) return
    }
  }

  /** All items of a list above a position, the oldest first. */
  async #all<T>(key: string, from?: Stamp): Promise<readonly DecodedItem<T>[]> {
    const found: DecodedItem<T>[] = []
    let after = from
    for (;;) {
      const above = after !== undefined && { after }
      const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest', ...above } as const
      const { items, done } = await this.#store.getItems<T>(query)
      for (const item of items) found.push(item)
      after = items.at(-1)?.position
      if (done || after === undefined) return found
    }
  }

  /** A long value, whose other pieces are read some at a time. */
  async #whole(key: string, name: string, first: FirstPiece): Promise<Packed> {
    const pieces = new Map<string, string>()
    for (const slice of slicesOf(restOf(name, first), PIECES_AT_ONCE)) {
      const { items } = await this.#store.getItemsById<string>(key, slice)
      for (const { id, value } of items) pieces.set(id, value)
    }
    return joined(name, first, pieces)
  }

  /** Long values of writes are items of their own, before the one that names them. */
  async #stow(
    key: string,
    writes: readonly (readonly [channel: string, index: number, value: Packed])[],
  ): Promise<readonly (readonly [channel: string, index: number, value: Stowed])[]> {
    const named = writes.map(([channel, index, value]) => {
      return { channel, index, value, name: valueName('', this.#store.groups.newId()) }
    })
    await this.#write(named.flatMap(({ name, value }) => piecesOf(key, name, value)))
    return named.map(({ channel, index, name }) => [channel, index, { stowed: name }])
  }

  /** In as few groups as they go into; the last one has the last of them. */
  async #write(puts: readonly Put[]): Promise<void> {
    let group: Put[] = []
    let length = 0
    for (const put of puts) {
      const own = lengthOf(put.value)
      if (
        group.length === GROUP_CHANGES_MAX ||
        (group.length > 0 && length + own > GROUP_LENGTH_MAX)
      ) {
        await this.#store.groups.write(group)
        group = []
        length = 0
      }
      group.push(put)
      length += own
    }
    await this.#store.groups.write(group)
  }
}

/** A value in one item or, where it is long, in several. */
function piecesOf(key: string, name: string, [type, data, ...encoding]: Packed): Put[] {
  const pieces = Math.max(1, Math.ceil(data.length / PIECE_LENGTH))
  return Array.from({ length: pieces }, (_, i) => {
    const part = data.slice(i * PIECE_LENGTH, (i + 1) * PIECE_LENGTH)
    const id = i === 0 ? name : pieceName(name, i)
    if (i > 0) return { kind: 'put', key, id, value: part }
    const value: FirstPiece = { value: [type, part, ...encoding], ...(pieces > 1 && { pieces }) }
    return { kind: 'put', key, id, value }
  })
}

/** The names of what follows the first piece. */
function restOf(name: string, { pieces = 1 }: FirstPiece): readonly string[] {
  return Array.from({ length: pieces - 1 }, (_, i) => pieceName(name, i + 1))
}

/** @throws StorageError `CORRUPT` when a piece is not there. */
function joined(name: string, first: FirstPiece, pieces: ReadonlyMap<string, string>): Packed {
  const [type, data, ...encoding] = first.value
  const rest = restOf(name, first).map((each) => {
    const piece = pieces.get(each)
    if (piece === undefined) throw new StorageError('CORRUPT', `the piece ${each} is missing`)
    return piece
  })
  return [type, [data, ...rest].join(''), ...encoding]
}

/** The texts of the serializer in it, which as JSON are at most twice as long. */
function lengthOf(value: PutValue): number {
  if (typeof value === 'string') return value.length
  return 'value' in value
    ? value.value[1].length
    : value.checkpoint[1].length + value.metadata[1].length
}

/**
 * Of all writes in a list those of one checkpoint. What a task has written stays when it is repeated; only
 * errors, interrupts and their like, which have negative indexes, are replaced.
 */
function writesOf(name: string, items: readonly DecodedItem<InWrites>[]): readonly Write[] {
  const pieces = new Map<string, FirstPiece | string>()
  const found = new Map<string, Write>()
  for (const { id, value: stored } of items) {
    if (typeof stored === 'string' || 'value' in stored) pieces.set(id, stored)
    else if (stored.of === name) {
      const { task, path, writes } = stored
      for (const [channel, index, value] of writes) {
        const key = `${index} ${task}`
        if (index >= 0 && found.has(key)) continue
        found.set(key, { task, path, channel, index, value: inWhole(value, pieces) })
      }
    }
  }
  return [...found.values()].sort(
    (a, b) => compareText(a.path, b.path) || compareText(a.task, b.task) || a.index - b.index,
  )
}

function inWhole(value: Packed | Stowed, pieces: ReadonlyMap<string, FirstPiece | string>): Packed {
  if (!('stowed' in value)) return value
  const first = pieces.get(value.stowed) as FirstPiece | undefined
  if (first === undefined) throw new StorageError('CORRUPT', `${value.stowed} is missing`)
  return joined(value.stowed, first, pieces as ReadonlyMap<string, string>)
}
