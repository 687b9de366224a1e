/*
 * Other answers in the place of one message. The conversation's own list has the one that is shown: choosing
 * another one is an edit of the message, so that everything that reads conversations, and every merge, knows
 * nothing of alternatives; of two choices the later stamp wins. What the message shows when another one is
 * chosen, with its edits, goes back to its slot in the same group.
 */
import { invalid, isStorageError, StorageError } from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { checkText, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { itemStamp, itemValue } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { isoTime } from '../../core/iso-time.ts'
import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../../strategy/write/write-port.ts'
import { decodeMessage, isMessageText, messageBody } from '../codec.ts'
import type { ChatMessage, MessageStatus, NewMessage, Receipt } from '../message.ts'
import { parseConversationKey, streamKey } from '../keys.ts'
import { notFound } from '../not-found.ts'
import { removeStream, showMessages, type ReadItem } from '../streams/partial-reader.ts'
import {
  ALTERNATIVES_MAX,
  parseSlot,
  slotId,
  slotsOf,
  type Slot,
  type SlotValue,
} from './alternative-slots.ts'
import type { AlternativeList } from './branch-options.ts'
import type { Branches } from './branches.ts'
import type { ViewFound } from './conversation-view.ts'

/** Tries to find a free slot, should others take it first. */
const TRIES_MAX = 16

/** A message with its slots. */
interface Place {
  readonly conversationId: string
  readonly found: ViewFound
  readonly key: string
  /** As the conversation shows it. */
  readonly shown: ChatMessage
  /** None while there are no alternatives. */
  readonly slots: readonly Slot[]
  readonly complete: boolean
  /** It is being written, or was left behind. */
  readonly partial: MessageStatus | undefined
}

/** Alternatives of messages, of one tenant. */
export class Alternatives {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #branches: Branches

  constructor(store: StrategicStorageManager, tenant: string, branches: Branches) {
    this.#store = store
    this.#tenant = tenant
    this.#branches = branches
  }

  async add(
    conversationId: string,
    messageId: string,
    message: NewMessage,
    choose: boolean,
  ): Promise<Receipt> {
    const body = messageBody(message)
    if (message.id !== undefined) checkText('message.id', message.id, MESSAGE_ID_BYTES_MAX)
    let cause: unknown
    for (let i = 0; i < TRIES_MAX; i++) {
      const place = await this.#withFirst(await this.#place(conversationId, messageId))
      const known = place.slots.find(({ id }) => id === message.id)
      if (known !== undefined) return await this.#again(place, known, body, choose)
      const last = place.slots.at(-1)
      if (last === undefined) {
        // It was cleared meanwhile, and saved again.
        cause = notFound(messageId, place.complete)
        continue
      }
      const number = last.number + 1
      if (number >= ALTERNATIVES_MAX) {
        throw invalid(`a message may have at most ${ALTERNATIVES_MAX} alternatives, got one more`)
      }
      try {
        return await this.#append(place, number, message.id, body, choose)
      } catch (error) {
        // Another process took the slot.
        if (!isStorageError(error, 'CONFLICT')) throw error
        cause = error
      }
    }
    throw cause
  }

  async list(conversationId: string, messageId: string): Promise<AlternativeList> {
    const { shown, slots, complete } = await this.#place(conversationId, messageId)
    if (slots.length === 0) {
      return { alternatives: [{ id: messageId, message: shown, active: true }], complete }
    }
    const active = activeOf(slots)
    const alternatives = slots.map(({ id, body }) =>
      id === active
        ? { id, message: { ...shown, id }, active: true }
        : { id, message: { ...body, id } as ChatMessage, active: false },
    )
    return { alternatives, complete }
  }

  async choose(conversationId: string, messageId: string, id: string): Promise<Receipt> {
    checkText('alternativeId', id, MESSAGE_ID_BYTES_MAX)
    const place = await this.#place(conversationId, messageId)
    const slot = place.slots.find((each) => each.id === id)
    if (slot === undefined) {
      if (place.slots.length === 0 && id === messageId) return await this.#keep(place)
      throw notFound(id, place.complete)
    }
    const outcome = await this.#store.writeGroup(await this.#choosing(place, id, slot.body))
    return await this.#receipt(id, place, outcome)
  }

  async #place(conversationId: string, messageId: string): Promise<Place> {
    checkText('messageId', messageId, MESSAGE_ID_BYTES_MAX)
    const [found, slots] = await Promise.all([
      this.#branches.forks.view.find(conversationId, messageId),
      slotsOf(this.#store, this.#tenant, conversationId, messageId),
    ])
    const { item } = found
    if (item === undefined || itemValue(item) === undefined)
      throw notFound(messageId, found.complete)
    const read = await this.#store.decodeItems(
      found.key,
      [item],
      (each): ReadItem => ({ item: each, message: decodeMessage(each)! }),
      isMessageText,
    )
    const { shown, complete } = await showMessages(this.#store, found.key, read)
    const [one] = shown
    if (one === undefined) throw notFound(messageId, found.complete)
    return {
      conversationId,
      found,
      key: slots.key,
      shown: one.message,
      slots: slots.items.flatMap((each) => parseSlot(each) ?? []),
      complete: found.complete && slots.complete && complete,
      partial: one.partial,
    }
  }

  /** The same with the first slot: what the message shows now is the first alternative. */
  async #withFirst(place: Place): Promise<Place> {
    if (place.slots.length > 0) return place
    const { id: of, ...body } = place.shown
    const value: SlotValue = { of, id: of, body }
    await this.#store.appendItems(place.key, [{ id: slotId(of, 0), value }])
    return await this.#place(place.conversationId, of)
  }

  async #append(
    place: Place,
    number: number,
    givenId: string | undefined,
    { createdAt = isoTime(this.#store.now()), ...body }: ReturnType<typeof messageBody>,
    choose: boolean,
  ): Promise<Receipt> {
    const id = givenId ?? this.#store.stamp(place.key)
    const of = place.shown.id
    const whole = { ...body, createdAt } as SlotValue['body']
    const value: SlotValue = { of, id, body: whole }
    const others = choose ? await this.#choosing(place, id, whole) : []
    const item = { id: slotId(of, number), value, name: 'message' }
    const outcome = await this.#store.appendItems(place.key, [item], others)
    return await this.#receipt(id, place, outcome)
  }

  /** An alternative of this id is there: it was this call, or another content took the id. */
  async #again(place: Place, slot: Slot, body: object, choose: boolean): Promise<Receipt> {
    const { createdAt: _createdAt, ...stands } = slot.body
    const { createdAt: _given, ...given } = body as { createdAt?: string }
    if (!slot.isEdited && encodeJson(stands) !== encodeJson(given)) {
      throw new StorageError(
        'CONFLICT',
        `alternative ${JSON.stringify(slot.id)} has another content`,
      )
    }
    if (!choose || activeOf(place.slots) === slot.id) return await this.#keep(place, slot.id)
    return await this.#receipt(
      slot.id,
      place,
      await this.#store.writeGroup(await this.#choosing(place, slot.id, slot.body)),
    )
  }

  /** Says once more what is so. */
  async #keep(place: Place, id = place.shown.id): Promise<Receipt> {
    const { id: _id, ...body } = place.shown
    const active = activeOf(place.slots) ?? id
    return await this.#receipt(
      id,
      place,
      await this.#store.writeGroup(await this.#choosing(place, active, body)),
    )
  }

  /** What had come of a message that was left behind is in its slot now. */
  async #receipt(id: string, place: Place, outcome: WriteOutcome): Promise<Receipt> {
    const { found, partial, shown } = place
    const of = partial === undefined ? undefined : parseConversationKey(found.key)
    const isReplaced = outcome.operations.some(
      (each) => each.kind === 'put' && each.key === found.key && each.id === shown.id,
    )
    if (of !== undefined && isReplaced) {
      await removeStream(this.#store, streamKey(of.tenant, of.conversationId, shown.id))
    }
    return receipt(id, place, outcome)
  }

  /** The operations that show another alternative. */
  async #choosing(place: Place, id: string, body: SlotValue['body']): Promise<Operation[]> {
    const { conversationId, found, key, shown, slots } = place
    const [first] = slots
    const stays = first !== undefined && id === activeOf(slots) && place.partial === 'in_progress'
    if (!stays) checkEnded(place)
    const own = await this.#branches.ownPlace(conversationId, found)
    const edit = (
      at: { readonly key: string; readonly id: string; readonly position: Stamp },
      value: unknown,
    ): Operation => ({
      kind: 'put',
      change: 'edit',
      ...at,
      stamp: this.#store.stamp(at.key),
      value: encodeJson(value),
    })
    const operations: Operation[] = stays ? [] : [edit(own, body)]
    if (found.isShared || own.key.startsWith('shared/')) {
      operations.push(...(await this.#branches.touching(conversationId)))
    }
    if (first === undefined) return operations
    const active = activeOf(slots)
    for (const slot of slots) {
      const isFirst = slot === first
      const isLeft = slot.id === active && slot.id !== id
      if (!isFirst && !isLeft) continue
      const { id: _id, ...left } = shown
      const { of, slotId: at, position } = slot
      const value = {
        of,
        id: slot.id,
        body: isLeft ? left : slot.body,
        ...(isFirst && { active: id }),
      }
      operations.push(edit({ key, id: at, position }, value))
    }
    return operations
  }
}

/**
 * Its end would be lost, or would replace the choice.
 *
 * @throws StorageError `CONFLICT` for a message that is being written.
 */
function checkEnded({ shown, partial, complete }: Place): void {
  const name = `message ${JSON.stringify(shown.id)}`
  if (partial === 'in_progress') {
    throw new StorageError('CONFLICT', `${name} is being written: finish or abort it first`)
  }
  if (partial !== undefined && !complete) {
    throw new StorageError('UNAVAILABLE', `a place that may have more of ${name} is away`)
  }
}

/** Which alternative is shown: the first until another one is chosen. */
function activeOf(slots: readonly Slot[]): string | undefined {
  return slots[0]?.active ?? slots[0]?.id
}

function receipt(id: string, { found }: Place, outcome: WriteOutcome): Receipt {
  const { item } = found
  const { copies, durable } = outcome
  const own = outcome.operations.findLast(
    (operation) => operation.kind === 'put' && operation.id === item?.id,
  )
  const stamp = own?.stamp ?? (item === undefined ? STAMP_MIN : itemStamp(item))
  return { id, position: item?.position ?? STAMP_MIN, stamp, copies, durable }
}
