/*
 * What makes branches of conversations, and every change of one that forks may share. Forks get their copies
 * before the change: whatever is cut off in between, nothing is lost, and the call can be repeated.
 */
import { hash } from 'node:crypto'
import { invalid, isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, operationsOfItem } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { Resolved } from '../../core/options.ts'
import { isStamp, type Stamp } from '../../core/stamp.ts'
import type { GroupChange } from '../../store/groups.ts'
import type { AppendOutcome } from '../../store/lists.ts'
import type { NewItem } from '../../store/new-values.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../../strategy/write/write-port.ts'
import { conversationKey, sideKey, SIDE_SPACES } from '../keys.ts'
import { notFound } from '../not-found.ts'
import { writeWhile } from '../write-while.ts'
import { settleItem } from '../streams/settle-item.ts'
import { alternativesAmong, slotsOf } from './alternative-slots.ts'
import type { FORK, ForkList, ForkReceipt, Going, TruncateReceipt } from './branch-options.ts'
import { FORK_DEPTH_MAX, type ViewFound, type ViewPage } from './conversation-view.ts'
import {
  encodeMarker,
  FIRST_STAMP,
  MARKER_ID,
  markerPosition,
  stampAfter,
  stampBefore,
  type ForkMarker,
} from './fork-marker.ts'
import { Forks, groups, removal } from './forks.ts'

/** The value of a key of `shared/`, where something was removed: a removal alone is in no page. */
const REMOVED = 'removed'

/** Forks that may be made one after the other while a conversation is being cleared. */
const CLEAR_TRIES_MAX = 24

/** Most messages that a cut removes one by one; of more, what is kept is copied. */
const REMOVED_SINGLY_MAX = 5_000

/** What was found at the end of a conversation, and is to go. */
export interface Tail {
  /** Oldest first; of a long one the latest. */
  readonly going: readonly Going[]
  /** There are more than go one by one. */
  readonly isLong: boolean
  /** Where the first and the last of them stand. */
  readonly from: Stamp
  readonly last: Stamp
  readonly complete: boolean
}

/** Branches of the conversations of one tenant. */
export class Branches {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly forks: Forks

  constructor(store: StrategicStorageManager, tenant: string) {
    this.#store = store
    this.#tenant = tenant
    this.forks = new Forks(store, tenant)
  }

  /** `isNew`: nobody else has the id. `position`: where the marker stands. */
  async fork(
    conversationId: string,
    { from, as }: Resolved<typeof FORK>,
    isNew: boolean = as === undefined,
  ): Promise<ForkReceipt & { readonly position: Stamp }> {
    const { id: messageId, position } = await this.#shareable(conversationId, from)
    const known = as === undefined ? undefined : (await this.forks.view.marker(as)).marker
    if (as !== undefined && known?.through === position && known.conversationId !== undefined) {
      // A repeat: what stands is written again, whatever became of the conversations in between.
      const { copies, durable } = await this.forks.create(as, {
        ...known,
        conversationId: known.conversationId,
      })
      return { conversationId: as, messageId, copies, durable, position: markerPosition(known) }
    }
    const { source, depth } = await this.forks.origin(conversationId, position)
    if (depth + 1 > FORK_DEPTH_MAX) {
      throw invalid(`a fork may share through at most ${FORK_DEPTH_MAX} others, got ${depth + 1}`)
    }
    const marker = { conversationId: source, messageId, through: position }
    const fork = as ?? this.#newId()
    if (!isNew) await this.#checkUnused(fork)
    const { copies, durable } = await this.forks.create(fork, marker)
    await this.#checkStands(source, fork, marker)
    return { conversationId: fork, messageId, copies, durable, position: markerPosition(marker) }
  }

  async listForks(conversationId: string): Promise<ForkList> {
    const { forks, complete } = await this.forks.list(conversationId)
    return {
      forks: forks.map(({ conversationId: id, messageId }) => ({ conversationId: id, messageId })),
      complete,
    }
  }

  async truncate(conversationId: string, from: string): Promise<TruncateReceipt> {
    const tail = await this.tail(conversationId, from)
    await this.forks.protect(conversationId, { from: tail.from })
    if (tail.isLong) return await this.#cutLong(conversationId, tail)
    const removed = tail.going.length
    const { complete } = tail
    if (removed === 0) return { removed, complete, copies: [], durable: false }
    const operations = await this.#removals(conversationId, tail.going, () => undefined)
    const { copies, durable } = await this.#store.mergeGroup(operations)
    return { removed, complete, copies, durable }
  }

  async #cutLong(conversationId: string, { from, last, complete }: Tail): Promise<TruncateReceipt> {
    const before = await this.count(conversationId)
    const { kept, outcome } = await this.forks.cutBehind(conversationId, { from, last })
    const { copies, durable } = outcome
    return { removed: before - kept, complete, copies, durable }
  }

  /** Everything from a message on, as it stands. */
  async tail(conversationId: string, from: string): Promise<Tail> {
    const start = await this.#start(conversationId, from)
    const key = conversationKey(this.#tenant, conversationId)
    const going: Going[] = []
    let { complete } = start
    let before: Stamp | undefined
    for (;;) {
      const page = await this.forks.view.page(conversationId, {
        order: 'newest',
        limit: PAGE_ITEMS_MAX,
        after: stampBefore(start.from),
        ...(before !== undefined && { before }),
      })
      complete &&= page.complete
      for (const { key: at, item } of page.items) {
        going.push({ id: item.id, position: item.position, isOwn: at === key })
      }
      before = page.next
      const isLong = going.length > REMOVED_SINGLY_MAX
      if (before !== undefined && !isLong) continue
      const { from: first } = start
      const last = going[0]?.position ?? first
      // The oldest first: who removes the latest looks for the one that is the latest then.
      return { going: going.reverse(), isLong, from: first, last, complete }
    }
  }

  /** Removes a tail, and appends messages, in one group; a long tail before that. */
  async replaceTail(
    conversationId: string,
    tail: Tail,
    items: readonly NewItem[],
  ): Promise<AppendOutcome & { readonly removed: number }> {
    const { from } = tail
    await this.forks.protect(conversationId, { from })
    const { removed } = tail.isLong
      ? await this.#cutLong(conversationId, tail)
      : { removed: tail.going.length }
    const going = tail.isLong ? [] : tail.going
    const stamp = (key: string): Stamp => this.#store.stamp(key)
    const removals = await this.#removals(conversationId, going, stamp)
    const key = conversationKey(this.#tenant, conversationId)
    return { ...(await this.#store.appendItems(key, items, removals)), removed }
  }

  /** Replaces a message; of a shared one the fork gets a version of its own. */
  async edit(conversationId: string, found: ViewFound, body: object): Promise<WriteOutcome> {
    const { key, id, position } = await this.ownPlace(conversationId, found)
    const outcome = await this.#store.editItem(key, id, position, body)
    await this.touch(conversationId, found)
    return outcome
  }

  /** Who follows a fork is told that something changed of what it shares. */
  async touch(conversationId: string, { key }: ViewFound): Promise<void> {
    if (key === conversationKey(this.#tenant, conversationId)) return
    try {
      const operations = await this.touching(conversationId)
      if (operations.length > 0) await this.#store.mergeGroup(operations)
    } catch (error) {
      const told = { error: messageOf(error), conversationId }
      this.#store.env.logger.warn(told, 'a fork could not be marked as changed')
    }
  }

  /** What tells that something changed of what a fork shares: its marker is written again. */
  async touching(conversationId: string): Promise<Operation[]> {
    const { marker } = await this.forks.view.marker(conversationId)
    if (marker === undefined) return []
    const key = conversationKey(this.#tenant, conversationId)
    const at = { key, id: MARKER_ID, position: markerPosition(marker) }
    const value = encodeMarker(marker)
    return [{ kind: 'put', change: 'edit', ...at, stamp: this.#store.stamp(key), value }]
  }

  /**
   * Where the conversation itself may change a message: forks have theirs, and of a shared one there is a copy
   * now.
   */
  async ownPlace(
    conversationId: string,
    { key, item, isShared }: ViewFound,
  ): Promise<{ readonly key: string; readonly id: string; readonly position: Stamp }> {
    const { id, position } = item!
    await this.forks.protect(conversationId, { from: position, through: position })
    if (!isShared) return { key, id, position }
    const copies = sideKey('shared', this.#tenant, conversationId)
    const settled = await settleItem(this.#store, key, item!)
    await this.#store.mergeGroup(operationsOfItem(copies, settled.item))
    return { key: copies, id, position }
  }

  /** Removes a message and its alternatives; of a shared one the source keeps them. */
  async remove(conversationId: string, { item, key }: ViewFound): Promise<WriteOutcome> {
    const { id, position } = item!
    const own = conversationKey(this.#tenant, conversationId)
    // What was removed and cleared has no position left.
    if (isStamp(position)) {
      await this.forks.protect(conversationId, { from: position, through: position })
    }
    const slots = await slotsOf(this.#store, this.#tenant, conversationId, id)
    if (key === own && slots.items.length === 0) {
      return await this.#store.removeItem(key, id, position)
    }
    const going = [{ id, position, isOwn: key === own }]
    const others = slots.items.map((slot) => removal(slots.key, slot))
    const removals = await this.#removalsOf(conversationId, going)
    return await this.#store.mergeGroup([...removals, ...others])
  }

  /** How many messages it shows. */
  async count(conversationId: string): Promise<number> {
    return await this.forks.view.count(conversationId, (key) =>
      this.#store.countItems(key, { mayExpire: false }),
    )
  }

  /** Everything of a conversation at once; its forks keep what they share. */
  async clear(conversationId: string): Promise<WriteOutcome> {
    const key = conversationKey(this.#tenant, conversationId)
    return await this.clearWith(conversationId, (beside) =>
      [key, ...beside].map((each) => ({ kind: 'delete', key: each })),
    )
  }

  /**
   * Clears a conversation with these changes, once its forks have copies of what they share. They are made only if
   * nobody has made another fork meanwhile, where a database can be asked.
   *
   * @param changesOf Told the lists beside the conversation, which go with it.
   */
  async clearWith(
    conversationId: string,
    changesOf: (
      beside: readonly string[],
    ) => readonly GroupChange[] | Promise<readonly GroupChange[]>,
  ): Promise<WriteOutcome> {
    for (let tries = 0; ; tries++) {
      const unforked = await this.forks.release(conversationId, tries === 0)
      const changes = await changesOf(this.#clearedWith(conversationId))
      try {
        return await writeWhile(this.#store, unforked, changes)
      } catch (error) {
        if (!isStorageError(error, 'CONFLICT') || tries >= CLEAR_TRIES_MAX) throw error
      }
    }
  }

  /** Everything up to a position, for good: a cut, which leaves newer things standing. */
  async deleteThrough(conversationId: string, position: Stamp): Promise<WriteOutcome> {
    await this.forks.protect(conversationId, { through: position, isWhole: true })
    const key = conversationKey(this.#tenant, conversationId)
    const { marker } = await this.forks.view.marker(conversationId)
    const cut = { kind: 'delete', key, stamp: position } as const
    if (marker === undefined) return await this.#store.mergeGroup([cut])
    const copies = sideKey('shared', this.#tenant, conversationId)
    // All that is shared goes, and with the marker the fork is a conversation like others.
    if (position > marker.through) {
      const end = markerPosition(marker)
      return await this.#store.mergeGroup([cut, { kind: 'delete', key: copies, stamp: end }])
    }
    const going: Going[] = []
    let before: Stamp | undefined = stampAfter(position)
    while (before !== undefined) {
      const query = { order: 'newest', limit: PAGE_ITEMS_MAX, before } as const
      const page: ViewPage = await this.forks.view.page(conversationId, query)
      for (const { item } of page.items) {
        going.push({ id: item.id, position: item.position, isOwn: false })
      }
      before = page.next
    }
    let outcome: WriteOutcome | undefined
    const operations = await this.#removalsOf(conversationId, going)
    for (const part of groups(operations.map((operation) => [operation]))) {
      outcome = await this.#store.mergeGroup(part)
    }
    return outcome ?? { operations: [], copies: [], durable: false }
  }

  /** Lists that go with a conversation: not the names of its forks, which have copies of it. */
  #clearedWith(conversationId: string): string[] {
    const spaces = SIDE_SPACES.filter((space) => space !== 'forks')
    return spaces.map((space) => sideKey(space, this.#tenant, conversationId))
  }

  /** A name that nobody has used. */
  #newId(): string {
    return `fork-${hash('sha256', this.#store.stamp('fork'), 'hex').slice(0, 32)}`
  }

  async #shareable(
    conversationId: string,
    from: string | undefined,
  ): Promise<{ readonly id: string; readonly position: Stamp }> {
    if (from === undefined) {
      const { items, complete } = await this.forks.view.page(conversationId, {
        order: 'newest',
        limit: 1,
      })
      const [latest] = items
      if (latest !== undefined) return latest.item
      throw complete
        ? new StorageError(
            'NOT_FOUND',
            `conversation ${JSON.stringify(conversationId)} has no message`,
          )
        : outOfReach(conversationId)
    }
    const { item, complete } = await this.forks.view.find(conversationId, from)
    if (item === undefined || itemValue(item) === undefined) throw notFound(from, complete)
    return item
  }

  /** @throws StorageError `CONFLICT` unless the id is new. */
  async #checkUnused(conversationId: string): Promise<void> {
    const key = conversationKey(this.#tenant, conversationId)
    const { items, complete } = await this.#store.readItems({ key, limit: 1, order: 'newest' })
    if (items.length > 0 || (await this.#store.isClearedThrough(key, FIRST_STAMP))) {
      const why = 'a fork needs an id that was never used'
      throw new StorageError(
        'CONFLICT',
        `conversation ${JSON.stringify(conversationId)} exists: ${why}`,
      )
    }
    if (!complete) throw outOfReach(conversationId)
  }

  /** A clear of the source may have come between: then there is no fork, and it takes its name back. */
  async #checkStands(source: string, fork: string, marker: ForkMarker): Promise<void> {
    try {
      const before = markerPosition(marker)
      const query = { order: 'newest', limit: 1, before } as const
      const { items, complete } = await this.forks.view.page(fork, query)
      if (items.length > 0) return
      if (!complete) throw outOfReach(source)
      await this.clear(fork)
    } catch (error) {
      if (!isStorageError(error)) throw error
      throw new StorageError(error.code, error.message, { effect: 'unknown', cause: error })
    }
    const why = `conversation ${JSON.stringify(source)} was cleared meanwhile`
    // Whoever read it in between has seen it.
    const text = `there is nothing to share: ${why}`
    throw new StorageError('NOT_FOUND', text, { effect: 'unknown' })
  }

  async #start(
    conversationId: string,
    from: string,
  ): Promise<{ readonly from: Stamp; readonly complete: boolean }> {
    const { item, complete } = await this.forks.view.find(conversationId, from)
    if (item !== undefined && itemValue(item) !== undefined) {
      return { from: item.position, complete }
    }
    if (isStamp(from)) return { from, complete }
    throw notFound(from, complete)
  }

  /** The removals of messages, with their alternatives. */
  async #removals(
    conversationId: string,
    going: readonly Going[],
    stamp: (key: string) => Stamp | undefined,
  ): Promise<Operation[]> {
    const ids = new Set(going.map(({ id }) => id))
    const { key, items } = await alternativesAmong(this.#store, this.#tenant, conversationId, ids)
    const removals = [
      ...(await this.#removalsOf(conversationId, going)),
      ...items.map((item) => removal(key, item)),
    ]
    return removals.map((operation) => ({
      ...operation,
      stamp: stamp(operation.key) ?? operation.stamp,
    }))
  }

  async #removalsOf(conversationId: string, going: readonly Going[]): Promise<Operation[]> {
    const own = conversationKey(this.#tenant, conversationId)
    const copies = sideKey('shared', this.#tenant, conversationId)
    const operations = going.map(({ id, position, isOwn }) =>
      removal(isOwn ? own : copies, { id, position }),
    )
    if (going.every(({ isOwn }) => isOwn)) return operations
    const stamp = this.#store.stamp(copies)
    const set: Operation = { kind: 'set', key: copies, stamp, value: encodeJson(REMOVED) }
    return [...operations, set, ...(await this.touching(conversationId))]
  }
}

function outOfReach(conversationId: string): StorageError {
  return new StorageError(
    'UNAVAILABLE',
    `a place that may have messages of conversation ${JSON.stringify(conversationId)} cannot be reached`,
    { operation: 'read' },
  )
}
