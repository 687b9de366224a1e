import { invalid, isStorageError, StorageError } from '../../core/errors.ts'
import { decodeJson, encodeJson } from '../../core/json.ts'
import { isoTime, msOfDateTime } from '../../core/iso-time.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import { resolve } from '../../core/options.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import type { GroupChange } from '../../store/groups.ts'
import type { EraseReceipt } from '../../store/erase/erase-receipt.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { Guard, WriteOutcome } from '../../strategy/write/write-port.ts'
import {
  activeKey,
  conversationKey,
  createdKey,
  recordKey,
  streamsPrefix,
  tenantPrefix,
} from '../keys.ts'
import type { ConversationDetails, ConversationPage, ConversationReceipt } from '../message.ts'
import { writeWhile } from '../write-while.ts'
import { Activity } from './activity.ts'
import { listConversations } from './list-conversations.ts'
import {
  metadataNames,
  setField,
  setMetadata,
  type ConversationRecord,
  type Created,
  type Owner,
} from './record.ts'
import {
  COUNT_CONVERSATIONS,
  LIST_CONVERSATIONS,
  METADATA_FIELDS_MAX,
  NEW_CONVERSATION,
  PATCH,
  UPDATE_CONVERSATION,
  type ConversationPatch,
  type CountConversationsOptions,
  type ListConversationsOptions,
  type NewConversation,
  type UpdateConversationOptions,
} from './record-options.ts'
import { conversationOf } from './shown-conversation.ts'
import { RecordReader, type LatestRead, type RecordRead } from './record-reader.ts'

/** Records of one tenant: what `ChatHistory` makes of its calls. */
export class ConversationRecords {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #reader: RecordReader
  readonly #activity: Activity

  constructor(store: StrategicStorageManager, tenant: string) {
    this.#store = store
    this.#tenant = tenant
    this.#reader = new RecordReader(store, tenant)
    this.#activity = Activity.of(store)
  }

  async create(conversationId: string, given?: NewConversation): Promise<ConversationReceipt> {
    const key = recordKey(this.#tenant, conversationId)
    const fields = resolve('', given, NEW_CONVERSATION)
    const [read, latest] = await this.#read(conversationId)
    if (read.record !== undefined) {
      checkSame(conversationId, read.record, fields)
      return await this.#again(conversationId, read.items)
    }
    const { title, owner, metadata = {} } = fields
    const createdAt = fields.createdAt ?? isoTime(this.#store.now())
    const created: Created = { at: createdAt, entry: this.#store.groups.newId() }
    const owned = owner === undefined ? null : this.#ownerOf(owner)
    // What is left of an earlier record of this name is not this one's.
    const left = metadataNames(read.items).map((name) => [name, null] as const)
    const changes = [
      setField(key, 'created', created),
      setField(key, 'title', title ?? null),
      setField(key, 'owner', owned),
      ...setMetadata(key, { ...Object.fromEntries(left), ...metadata }),
    ]
    const isPast = fields.createdAt !== undefined || latest.position !== undefined
    const placed = { created, owned, latest, isPast, isNew: true }
    try {
      return await this.#write(conversationId, changes, placed)
    } catch (error) {
      if (!isStorageError(error, 'CONFLICT')) throw error
      // Somebody else was faster, or an attempt of this call that got no answer.
      const { record, items } = await this.#reader.record(conversationId)
      if (record === undefined) throw error
      checkSame(conversationId, record, fields)
      return await this.#again(conversationId, items)
    }
  }

  async get(conversationId: string): Promise<ConversationDetails | undefined> {
    const [{ record, complete }, latest] = await this.#read(conversationId)
    if (record === undefined && latest.position === undefined) return undefined
    const counted = await this.#reader.count(conversationId)
    return {
      ...conversationOf(conversationId, record, latest),
      messageCount: counted.count,
      ...(record !== undefined && { stamp: record.stamp }),
      complete: complete && latest.complete && counted.complete,
    }
  }

  async update(
    conversationId: string,
    given: ConversationPatch,
    options?: UpdateConversationOptions,
  ): Promise<ConversationReceipt> {
    const key = recordKey(this.#tenant, conversationId)
    const { title, owner, metadata } = resolve('', given, PATCH)
    const { ifStamp } = resolve('', options, UPDATE_CONVERSATION)
    if (title === undefined && owner === undefined && metadata === undefined) {
      throw invalid('the patch must have title, owner or metadata')
    }
    const [read, latest] = await this.#read(conversationId)
    const { record } = read
    if (record === undefined && latest.position === undefined) {
      throw notThere(conversationId, read.complete && latest.complete)
    }
    checkCount(record, metadata)
    const changes: GroupChange[] = []
    // A conversation that was never created begins with its first message.
    const began = record?.created ?? (await this.#beginning(conversationId))
    if (title !== undefined) changes.push(setField(key, 'title', title))
    if (metadata !== undefined) changes.push(...setMetadata(key, metadata))
    const before = record?.owner
    const isMoved = owner !== undefined && owner !== (before?.name ?? null)
    const owned = isMoved && owner !== null ? this.#ownerOf(owner) : undefined
    if (isMoved) {
      changes.push(setField(key, 'owner', owned ?? null))
      if (before !== undefined) changes.push(...this.#leave(before))
    }
    if (ifStamp !== undefined && record?.stamp !== ifStamp) throw movedOn(conversationId)
    if (changes.length === 0 && record !== undefined) {
      return await this.#again(conversationId, read.items)
    }
    if (changes.length === 0) changes.push(setField(key, 'owner', null))
    const isListed = record !== undefined
    const placed = { created: began, owned, latest, isPast: true, isListed, ifStamp }
    return await this.#write(conversationId, changes, placed)
  }

  /** One group: the messages, the record, its entries in the lists, and these lists beside it. */
  async deletionOf(
    conversationId: string,
    beside: readonly string[] = [],
  ): Promise<readonly GroupChange[]> {
    const chat = conversationKey(this.#tenant, conversationId)
    const key = recordKey(this.#tenant, conversationId)
    const record = await this.#recordIfAny(conversationId)
    const left: GroupChange[] = [chat, key, ...beside].map((each) => {
      return { kind: 'delete', key: each }
    })
    if (record === undefined) return left
    left.push({ kind: 'remove', key: createdKey(this.#tenant), id: record.created.entry })
    if (record.owner !== undefined) left.push(...this.#leave(record.owner))
    return left
  }

  /**
   * Erases the messages, the record and the lists beside them, and takes the conversation out of the lists; other
   * changes may go with that.
   */
  async erase(
    conversationId: string,
    deadlineMs: number,
    beside: readonly string[],
    others: readonly GroupChange[] = [],
  ): Promise<EraseReceipt> {
    const changes = [...(await this.deletionOf(conversationId, beside)), ...others]
    const targets = changes.filter(({ kind }) => kind === 'delete').map(({ key }) => key)
    const left = changes.filter((change) => change.kind === 'remove')
    const erase = (): Promise<EraseReceipt> => {
      return this.#store.erase('key', targets, deadlineMs, {
        left,
        within: [streamsPrefix(this.#tenant, conversationId)],
      })
    }
    // As with `groups.write`: a list may have been deleted by a clock ahead of ours.
    return await erase().catch((error: unknown) => {
      if (!isStorageError(error, 'NOT_FOUND')) throw error
      return erase()
    })
  }

  async list(given?: ListConversationsOptions): Promise<ConversationPage> {
    const options = resolve('', given, LIST_CONVERSATIONS)
    return await listConversations(this.#reader, options)
  }

  async count(given?: CountConversationsOptions): Promise<number> {
    const { owner } = resolve('', given, COUNT_CONVERSATIONS)
    if (owner !== undefined) {
      return (await this.#store.countItems(createdKey(this.#tenant, owner))).count
    }
    const ids = new Set<string>()
    for (const space of ['chat', 'record'] as const) {
      for await (const id of this.#ids(space)) ids.add(id)
    }
    return ids.size
  }

  /** Conversations that have a key in this space, in the order of their ids. */
  async *#ids(space: 'chat' | 'record'): AsyncGenerator<string, void, undefined> {
    const prefix = tenantPrefix(this.#tenant, space)
    let after: string | undefined
    for (;;) {
      const query = { prefix, limit: PAGE_ITEMS_MAX, ...(after !== undefined && { after }) }
      const { keys, done } = await this.#store.listKeys(query)
      for (const key of keys) yield key.slice(prefix.length)
      after = keys.at(-1)
      if (done || after === undefined) return
    }
  }

  async #read(conversationId: string): Promise<[RecordRead, LatestRead]> {
    return await Promise.all([
      this.#reader.record(conversationId),
      this.#reader.latest(conversationId),
    ])
  }

  /**
   * Writes the record and its entries. The beginning of a conversation that was never created has its own time too,
   * so that it never takes the place of a record that this process does not see. Entries of a conversation that is
   * not of now stand at its times. That is a group of its own, and comes first: an entry says nothing before the
   * record names it.
   */
  async #write(
    conversationId: string,
    changes: readonly GroupChange[],
    { created, owned, latest, isPast, isListed = false, isNew = false, ifStamp }: Placed,
  ): Promise<ConversationReceipt> {
    const { groups } = this.#store
    const value = { conversation: conversationId }
    const createdMs = msOfDateTime(created.at) ?? this.#store.now()
    const activeMs = latest.position === undefined ? createdMs : stampMs(latest.position)
    const entries: Timed[] = []
    const key = recordKey(this.#tenant, conversationId)
    if (!isListed) {
      entries.push({ key: createdKey(this.#tenant), id: created.entry, value, ms: createdMs })
      const isNamed = changes.some((change) => change.kind === 'put' && change.id === 'created')
      if (!isNamed) entries.push({ key, id: 'created', value: created, ms: createdMs })
    }
    if (owned !== null && owned !== undefined) {
      const { name, entry: id } = owned
      entries.push({ key: createdKey(this.#tenant, name), id, value, ms: createdMs })
      entries.push({ key: activeKey(this.#tenant, name), id, value, ms: activeMs })
    }
    const now = isPast ? await this.#place(entries) : entries.map(putOf)
    const group = [...changes, ...now]
    const outcome = isNew
      ? await writeWhile(this.#store, [{ key, id: 'created', absent: true }], group)
      : await groups.write(group, guardOf(key, ifStamp))
    this.#activity.wrote(this.#tenant)
    if (isPast && owned) await this.#follow(conversationId, activeMs)
    return receiptOf(conversationId, key, outcome)
  }

  /** Resolves with what the lists do not take at these times, since they were erased later: it goes to their end. */
  async #place(entries: readonly Timed[]): Promise<GroupChange[]> {
    if (entries.length === 0) return []
    const { groups } = this.#store
    await groups.place(
      entries.map(({ ms, ...item }) => ({ ...item, position: groups.stampAt(ms) })),
    )
    const lost: GroupChange[] = []
    for (const entry of entries) {
      const { items } = await this.#store.readItemsById(entry.key, [entry.id])
      if (items.length === 0) lost.push(putOf(entry))
    }
    return lost
  }

  /** A message that came while the conversation got its owner. */
  async #follow(conversationId: string, activeMs: number): Promise<void> {
    const { position } = await this.#reader.latest(conversationId)
    if (position === undefined || stampMs(position) <= activeMs) return
    await this.#activity.placed(this.#tenant, conversationId, stampMs(position))
  }

  #ownerOf(name: string): Owner {
    return { name, entry: this.#store.groups.newId() }
  }

  #leave({ name, entry: id }: Owner): GroupChange[] {
    return [createdKey(this.#tenant, name), activeKey(this.#tenant, name)].map((key) => {
      return { kind: 'remove', key, id }
    })
  }

  async #beginning(conversationId: string): Promise<Created> {
    const key = conversationKey(this.#tenant, conversationId)
    const { items } = await this.#store.readItems({ key, limit: 1, order: 'oldest' })
    const ms = items[0] === undefined ? this.#store.now() : stampMs(items[0].position)
    return { at: isoTime(ms), entry: this.#store.groups.newId() }
  }

  /** A conversation goes, whether or not its record can be read: entries that it leaves behind say nothing. */
  async #recordIfAny(conversationId: string): Promise<ConversationRecord | undefined> {
    try {
      return (await this.#reader.record(conversationId)).record
    } catch {
      return undefined
    }
  }

  /** What stands already, merged once more for a receipt: harmless, also when it was deleted meanwhile. */
  async #again(conversationId: string, items: readonly Item[]): Promise<ConversationReceipt> {
    const key = recordKey(this.#tenant, conversationId)
    const standing = items.filter((item) => itemValue(item) !== undefined)
    const outcome = await this.#store.groups.place(
      standing.map((item) => ({
        key,
        id: item.id,
        value: decodeJson<unknown>(itemValue(item)!),
        position: item.position,
      })),
    )
    return receiptOf(conversationId, key, outcome)
  }
}

/** An item with the time at which it stands. Unix milliseconds. */
interface Timed {
  readonly key: string
  readonly id: string
  readonly value: unknown
  readonly ms: number
}

function putOf({ key, id, value }: Timed): GroupChange {
  return { kind: 'put', key, id, value }
}

/** Where a record's entries go. */
interface Placed {
  readonly created: Created
  /** The owner that it gets. */
  readonly owned: Owner | null | undefined
  readonly latest: LatestRead
  /** The entries have times of their own. */
  readonly isPast: boolean
  /** The tenant's list has it already. */
  readonly isListed?: boolean
  /** There is no record, as far as this process knows. */
  readonly isNew?: boolean
  /** Of the latest change of the record that may stand. */
  readonly ifStamp?: string | undefined
}

function receiptOf(
  conversationId: string,
  key: string,
  { operations, copies, durable }: WriteOutcome,
): ConversationReceipt {
  const own = operations.filter((operation) => operation.key === key)
  const stamp = own.reduce<Stamp>(
    (last, each) => (each.stamp > last ? each.stamp : last),
    own[0]!.stamp,
  )
  return { conversationId, stamp, copies, durable }
}

/** A create that is repeated finds what it made. */
function checkSame(
  conversationId: string,
  record: ConversationRecord,
  { title, owner, metadata = {}, createdAt }: NewConversation,
): void {
  const given = Object.entries(metadata).filter(([, value]) => value !== null)
  const isSame =
    record.title === title &&
    record.owner?.name === owner &&
    (createdAt === undefined || record.created.at === createdAt) &&
    textOf(record.metadata) === textOf(Object.fromEntries(given))
  if (isSame) return
  const name = JSON.stringify(conversationId)
  throw new StorageError('CONFLICT', `conversation ${name} already exists with other fields`)
}

/** The same fields in the same text, in whatever order they were given. */
function textOf(metadata: Readonly<Record<string, unknown>>): string {
  return encodeJson(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function checkCount(
  record: ConversationRecord | undefined,
  metadata: Readonly<Record<string, unknown>> = {},
): void {
  const names = new Set(Object.keys(record?.metadata ?? {}))
  for (const [name, value] of Object.entries(metadata)) {
    if (value === null) names.delete(name)
    else names.add(name)
  }
  if (names.size <= METADATA_FIELDS_MAX) return
  const limit = `at most ${METADATA_FIELDS_MAX} fields`
  throw invalid(`metadata must have ${limit}, got ${names.size}`)
}

function notThere(conversationId: string, complete: boolean): StorageError {
  const name = JSON.stringify(conversationId)
  return complete
    ? new StorageError('NOT_FOUND', `there is no conversation ${name}`)
    : new StorageError(
        'UNAVAILABLE',
        `conversation ${name} was not found, and a place that may have it cannot be reached`,
      )
}

/** The primary alone decides: a place that lacks the latest change must not. */
function guardOf(key: string, ifStamp: string | undefined): Guard | undefined {
  if (ifStamp === undefined) return undefined
  return { conditions: [{ key, last: ifStamp as Stamp }], decide: 'primary' }
}

function movedOn(conversationId: string): StorageError {
  const name = JSON.stringify(conversationId)
  return new StorageError('CONFLICT', `conversation ${name} was changed since it was read`)
}
