import type { Operation } from '../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import {
  ACKNOWLEDGED,
  EntryTable,
  HELD,
  PENDING,
  QUARANTINED,
  shorten,
  type EntryState,
  type PlaceIndex,
} from './entry-table.ts'
import { GrowableArray } from './growable-array.ts'
import { KeyTable } from './key-table.ts'
import { READ_BYTES_MAX, type Lsn, type WalPlaceStats } from './wal.ts'

export interface NewEntry {
  /** Greater than that of every entry before. */
  readonly lsn: Lsn
  /** Each key once. */
  readonly keys: readonly string[]
  readonly bytes: number
  /** Where its file has it; the index only keeps it. */
  readonly offset: number
  /** When it was appended, Unix milliseconds. */
  readonly atMs: number
  readonly states: Readonly<Record<DatabasePlace, EntryState>>
}

/** From the first LSN to the last one, both included. */
export type LsnRange = readonly [first: Lsn, last: Lsn]

/** The keys of a group, each once. */
export function keysOf(operations: readonly Operation[]): readonly string[] {
  const first = operations[0]!.key
  if (operations.length === 1) return [first]
  return [...new Set(operations.map(({ key }) => key))]
}

/** What one place lacks. */
interface Place {
  readonly index: PlaceIndex
  /** First and last entry of each key's chain, as `shorten` writes them, and how many are pending. */
  readonly first: GrowableArray
  readonly last: GrowableArray
  readonly counts: GrowableArray
  pendingKeys: number
  pending: number
  quarantined: number
  readable: number
  cursor: Lsn
  /** No entry before this one is readable. */
  readFrom: Lsn
}

/**
 * Which entries each place lacks, by key. An entry costs 32 bytes and a key some 20 more than its
 * text: an outage of hours does not fill the heap. Payloads are not kept here.
 */
export class PendingIndex {
  readonly #entries: EntryTable
  readonly #keys = new KeyTable()
  readonly #places: Readonly<Record<DatabasePlace, Place>>
  /** Keys of the rare entries that have several, and the other way round, in order. */
  readonly #keysOfEntry = new Map<Lsn, readonly number[]>()
  readonly #groupsOfKey = new Map<number, Lsn[]>()
  #settled: Lsn
  #pendingBytes = 0

  /** Entries up to `head` are done with. */
  constructor(head: Lsn = 0) {
    this.#entries = new EntryTable(head)
    this.#places = { primary: emptyPlace(0, head), backup: emptyPlace(1, head) }
    this.#settled = head
  }

  get head(): Lsn {
    return this.#entries.head
  }

  /** Entries that are kept, pending or not. */
  get entries(): number {
    return this.#entries.count
  }

  /** Bytes of the entries that some place still lacks. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Up to here each place has acknowledged every entry, or refused it for good. */
  get settled(): Lsn {
    return this.#settled
  }

  has(lsn: Lsn): boolean {
    return this.#entries.has(lsn)
  }

  offset(lsn: Lsn): number {
    return this.#entries.offset(lsn)
  }

  bytes(lsn: Lsn): number {
    return this.#entries.bytes(lsn)
  }

  /** The entry is in another file now. */
  move({ lsn, bytes, offset }: Pick<NewEntry, 'lsn' | 'bytes' | 'offset'>): void {
    if (!this.has(lsn)) return
    if (!this.isDone(lsn)) this.#pendingBytes += bytes - this.bytes(lsn)
    this.#entries.move(lsn, bytes, offset)
  }

  state(place: DatabasePlace, lsn: Lsn): EntryState {
    return this.#entries.state(lsn, this.#places[place].index)
  }

  /** The entries that are kept, in order. */
  lsns(): Iterable<Lsn> {
    return this.#entries.lsns()
  }

  /** True when no place lacks the entry. */
  isDone(lsn: Lsn): boolean {
    return (
      this.#entries.state(lsn, 0) === ACKNOWLEDGED && this.#entries.state(lsn, 1) === ACKNOWLEDGED
    )
  }

  /** Leaves out LSNs: they are done with. */
  skipTo(head: Lsn): void {
    this.#entries.skipTo(head)
    for (const place of DATABASE_PLACES) this.#advance(this.#places[place])
    this.#settle()
  }

  add({ lsn, keys, bytes, offset, atMs, states: { primary, backup } }: NewEntry): void {
    const before = this.head
    this.#entries.add(lsn, bytes, offset, atMs)
    if (keys.length === 1) this.#entries.setKey(lsn, this.#keys.use(keys[0]!))
    else this.#addGroup(lsn, keys)
    this.#addAt(this.#places.primary, before, lsn, primary)
    this.#addAt(this.#places.backup, before, lsn, backup)
    if (primary !== ACKNOWLEDGED || backup !== ACKNOWLEDGED) this.#pendingBytes += bytes
    // As with the cursors: only a log without an older gap moves on.
    if (this.#settled === before) this.#settled = isOver(primary) && isOver(backup) ? lsn : lsn - 1
  }

  /** False when the place had it already or the entry is not kept. */
  acknowledge(name: DatabasePlace, lsn: Lsn): boolean {
    const place = this.#places[name]
    const before = this.#entries.state(lsn, place.index)
    if (before === ACKNOWLEDGED || lsn > this.head) return false
    this.#entries.setState(lsn, place.index, ACKNOWLEDGED)
    this.#leave(place, lsn, before)
    if (this.isDone(lsn)) this.#pendingBytes -= this.#entries.bytes(lsn)
    this.#advance(place)
    this.#settle()
    return true
  }

  /** True when the entry was held and is readable now. */
  release(name: DatabasePlace, lsn: Lsn): boolean {
    const place = this.#places[name]
    if (this.#entries.state(lsn, place.index) !== HELD) return false
    this.#entries.setState(lsn, place.index, PENDING)
    place.readable++
    place.readFrom = Math.min(place.readFrom, lsn)
    return true
  }

  /** False when the place does not lack the entry, or refused it before. */
  quarantine(name: DatabasePlace, lsn: Lsn): boolean {
    const place = this.#places[name]
    const before = this.#entries.state(lsn, place.index)
    if (before === ACKNOWLEDGED || before === QUARANTINED) return false
    if (before === PENDING) place.readable--
    place.quarantined++
    this.#entries.setState(lsn, place.index, QUARANTINED)
    this.#settle()
    return true
  }

  /** What the place refused may be given out once more. Returns how many entries. */
  unquarantine(name: DatabasePlace, only?: Lsn): number {
    const place = this.#places[name]
    const found = only === undefined ? this.quarantined(name, place.quarantined) : [only]
    let count = 0
    for (const lsn of found) {
      if (this.#entries.state(lsn, place.index) !== QUARANTINED) continue
      this.#entries.setState(lsn, place.index, PENDING)
      place.quarantined--
      place.readable++
      place.readFrom = Math.min(place.readFrom, lsn)
      this.#settled = Math.min(this.#settled, lsn - 1)
      count++
    }
    return count
  }

  /** Entries that the place refused, the oldest first. */
  quarantined(name: DatabasePlace, limit: number): Lsn[] {
    const place = this.#places[name]
    const found: Lsn[] = []
    if (place.quarantined === 0) return found
    for (const lsn of this.#entries.lsns()) {
      if (found.length >= limit) break
      if (this.#entries.state(lsn, place.index) === QUARANTINED) found.push(lsn)
    }
    return found
  }

  /** Every entry that is kept is pending at the place again. True when one became readable. */
  resend(name: DatabasePlace): boolean {
    const place = this.#places[name]
    this.#reset(place)
    this.#pendingBytes = 0
    let first = this.head + 1
    for (const lsn of this.#entries.lsns()) {
      first = Math.min(first, lsn)
      const before = this.#entries.state(lsn, place.index)
      const state = before === ACKNOWLEDGED ? PENDING : before
      if (state !== before) this.#entries.setState(lsn, place.index, state)
      this.#enter(place, lsn, state)
      this.#pendingBytes += this.#entries.bytes(lsn)
    }
    place.cursor = first - 1
    this.#settled = Math.min(this.#settled, first - 1)
    this.#settle()
    return place.readable > 0
  }

  /** Forgets entries up to this one; those that a place refused stay. */
  dropThrough(last: Lsn): void {
    for (const lsn of this.#entries.lsns()) {
      if (lsn > last) return
      if (this.isDone(lsn)) this.drop(lsn)
    }
  }

  /** Forgets an entry that both places have. */
  drop(lsn: Lsn): void {
    if (this.#entries.hasSeveralKeys(lsn)) this.#dropGroup(lsn)
    else if (this.#entries.has(lsn)) this.#keys.leave(this.#entries.key(lsn))
    this.#entries.drop(lsn)
  }

  hasPending(name: DatabasePlace, key: string): boolean {
    return this.count(name, key) > 0
  }

  /** How many entries with the key the place lacks. */
  count(name: DatabasePlace, key: string): number {
    const id = this.#keys.id(key)
    return id === undefined ? 0 : this.#places[name].counts.get(id)
  }

  /** Entries with the key that the place lacks, in order: those after `after`. */
  pending(name: DatabasePlace, key: string, after: Lsn = 0): readonly Lsn[] {
    const place = this.#places[name]
    const id = this.#keys.id(key)
    const found: Lsn[] = []
    if (id === undefined || place.counts.get(id) === 0) return found
    let lsn = this.#entries.expand(place.last.get(id))
    while (lsn > after) {
      found.push(lsn)
      lsn = this.#entries.link(lsn, place.index, 'previous')
    }
    for (const group of this.#groupsOfKey.get(id) ?? []) {
      if (group > after && this.state(name, group) !== ACKNOWLEDGED) found.push(group)
    }
    return found.sort((a, b) => a - b)
  }

  *pendingKeys(name: DatabasePlace): Iterable<string> {
    const place = this.#places[name]
    // Found from the newest key on; the count ends the search among keys that nobody lacks.
    let left = place.pendingKeys
    for (let id = this.#keys.end - 1; id >= 0 && left > 0; id--) {
      if (place.counts.get(id) === 0) continue
      left--
      yield this.#keys.name(id)
    }
  }

  /** The oldest entries that may be given out, up to `READ_BYTES_MAX` and at least one. */
  read(name: DatabasePlace, limit: number): readonly Lsn[] {
    const place = this.#places[name]
    const found: Lsn[] = []
    let bytes = 0
    const wanted = Math.min(limit, place.readable)
    let lsn = place.readFrom - 1
    while (found.length < wanted) {
      lsn = this.#entries.nextLacking(lsn, place.index)
      if (lsn > this.head) break
      if (this.#entries.state(lsn, place.index) !== PENDING) continue
      if (found.length === 0) place.readFrom = lsn
      bytes += this.#entries.bytes(lsn)
      if (found.length > 0 && bytes > READ_BYTES_MAX) break
      found.push(lsn)
    }
    return found
  }

  readable(name: DatabasePlace): number {
    return this.#places[name].readable
  }

  /** The oldest entry that the place lacks and has not refused. */
  oldest(name: DatabasePlace): Lsn | undefined {
    const place = this.#places[name]
    if (place.pending === place.quarantined) return undefined
    let lsn = place.cursor
    do lsn = this.#entries.nextLacking(lsn, place.index)
    while (lsn <= this.head && this.#entries.state(lsn, place.index) === QUARANTINED)
    return lsn <= this.head ? lsn : undefined
  }

  stats(name: DatabasePlace, nowMs: number): WalPlaceStats {
    const place = this.#places[name]
    const oldest = place.cursor + 1
    return {
      pendingEntries: place.pending,
      quarantinedEntries: place.quarantined,
      oldestPendingMs: place.pending === 0 ? 0 : Math.max(0, nowMs - this.#entries.atMs(oldest)),
      cursor: place.cursor,
    }
  }

  /** What the place has acknowledged, as few ranges from the oldest on, at most `max` of them. */
  acknowledged(name: DatabasePlace, max: number): readonly LsnRange[] {
    const ranges: LsnRange[] = []
    let first = 1
    for (const [lackingFirst, lackingLast] of this.#entries.lackingRuns(this.#places[name].index)) {
      if (lackingFirst > first) ranges.push([first, lackingFirst - 1])
      if (ranges.length >= max) return ranges
      first = lackingLast + 1
    }
    if (first <= this.head) ranges.push([first, this.head])
    return ranges
  }

  #addAt(place: Place, before: Lsn, lsn: Lsn, state: EntryState): void {
    if (place.cursor === before) place.cursor = state === ACKNOWLEDGED ? lsn : lsn - 1
    if (state === ACKNOWLEDGED) return
    this.#entries.setState(lsn, place.index, state)
    this.#enter(place, lsn, state)
  }

  #enter(place: Place, lsn: Lsn, state: EntryState): void {
    place.pending++
    if (state === QUARANTINED) place.quarantined++
    if (state === PENDING) {
      place.readable++
      place.readFrom = Math.min(place.readFrom, lsn)
    }
    if (this.#entries.hasSeveralKeys(lsn)) {
      for (const id of this.#keysOfEntry.get(lsn)!) this.#count(place, id, 1)
      return
    }
    const id = this.#entries.key(lsn)
    this.#count(place, id, 1)
    const last = this.#entries.expand(place.last.get(id))
    this.#entries.setLinks(lsn, place.index, last, 0)
    if (last === 0) place.first.set(id, shorten(lsn))
    else this.#entries.setLink(last, place.index, 'next', lsn)
    place.last.set(id, shorten(lsn))
  }

  #leave(place: Place, lsn: Lsn, state: EntryState): void {
    place.pending--
    if (state === QUARANTINED) place.quarantined--
    if (state === PENDING) place.readable--
    if (this.#entries.hasSeveralKeys(lsn)) {
      for (const id of this.#keysOfEntry.get(lsn)!) this.#count(place, id, -1)
      return
    }
    const id = this.#entries.key(lsn)
    this.#count(place, id, -1)
    const previous = this.#entries.link(lsn, place.index, 'previous')
    const next = this.#entries.link(lsn, place.index, 'next')
    if (previous === 0) place.first.set(id, shorten(next))
    else this.#entries.setLink(previous, place.index, 'next', next)
    if (next === 0) place.last.set(id, shorten(previous))
    else this.#entries.setLink(next, place.index, 'previous', previous)
  }

  #count(place: Place, id: number, change: 1 | -1): void {
    const count = place.counts.get(id) + change
    place.counts.set(id, count)
    if (count === 0) place.pendingKeys--
    else if (count === 1 && change === 1) place.pendingKeys++
  }

  #addGroup(lsn: Lsn, keys: readonly string[]): void {
    const ids = keys.map((key) => this.#keys.use(key))
    this.#entries.markSeveralKeys(lsn)
    this.#keysOfEntry.set(lsn, ids)
    for (const id of ids) {
      const groups = this.#groupsOfKey.get(id)
      if (groups === undefined) this.#groupsOfKey.set(id, [lsn])
      else groups.push(lsn)
    }
  }

  #dropGroup(lsn: Lsn): void {
    for (const id of this.#keysOfEntry.get(lsn) ?? []) {
      const groups = this.#groupsOfKey.get(id)!
      // Nearly always the first one: entries go in order.
      if (groups[0] === lsn) groups.shift()
      else groups.splice(groups.indexOf(lsn), 1)
      if (groups.length === 0) this.#groupsOfKey.delete(id)
      this.#keys.leave(id)
    }
    this.#keysOfEntry.delete(lsn)
  }

  #reset(place: Place): void {
    place.first.fill(0)
    place.last.fill(0)
    place.counts.fill(0)
    place.pendingKeys = 0
    place.pending = 0
    place.quarantined = 0
    place.readable = 0
  }

  #advance(place: Place): void {
    place.cursor = this.#entries.nextLacking(place.cursor, place.index) - 1
  }

  #settle(): void {
    let next = this.#settled + 1
    for (;;) {
      next = Math.min(
        this.#nextLacking(this.#places.primary, next - 1),
        this.#nextLacking(this.#places.backup, next - 1),
      )
      if (next > this.head || !this.#isSettled(next)) break
      next++
    }
    this.#settled = next - 1
  }

  /** Up to its cursor a place lacks nothing: what lies there need not be gone through. */
  #nextLacking({ cursor, index }: Place, lsn: Lsn): Lsn {
    return this.#entries.nextLacking(Math.max(cursor, lsn), index)
  }

  #isSettled(lsn: Lsn): boolean {
    return isOver(this.#entries.state(lsn, 0)) && isOver(this.#entries.state(lsn, 1))
  }
}

function isOver(state: EntryState): boolean {
  return state === ACKNOWLEDGED || state === QUARANTINED
}

function emptyPlace(index: PlaceIndex, head: Lsn): Place {
  return {
    index,
    first: new GrowableArray(),
    last: new GrowableArray(),
    counts: new GrowableArray(),
    pendingKeys: 0,
    pending: 0,
    quarantined: 0,
    readable: 0,
    cursor: head,
    readFrom: head + 1,
  }
}
