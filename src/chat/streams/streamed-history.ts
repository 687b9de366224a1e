import type { ChangesOutcome } from '../../store/changes/change.ts'
import type { WriteOutcome } from '../../strategy/write/write-port.ts'
import { BranchedHistory } from '../branches/branched-history.ts'
import {
  exchangeOf,
  standingMessages,
  type Exchange,
  type StandingMessage,
} from '../branches/exchange.ts'
import { conversationKey } from '../keys.ts'
import { itemsOf } from '../message-items.ts'
import type { MessageStream } from './message-stream.ts'
import type {
  ReadStreamOptions,
  RepairStreamsOptions,
  RepairStreamsReport,
  StartedMessage,
  StreamEvent,
  StreamOptions,
} from './stream-options.ts'
import type { Streams } from './streams.ts'

import type { ProviderName } from '../providers/shapes.ts'

/** Calls of a history about messages that are saved while they come. */
export abstract class StreamedHistory<
  Extras extends object | ProviderName,
> extends BranchedHistory<Extras> {
  /** @internal */
  protected abstract get streams(): Streams<Extras>

  /**
   * Begins a message that is saved while it comes: its place and its id are taken, and each reader sees what
   * has come of it. With an id of the caller's there is one writer: the second one gets `CONFLICT`.
   *
   * @throws StorageError as `saveMessage`. With effect `unknown` it may be repeated with the same id.
   */
  async startMessage(
    conversationId: string,
    message: StartedMessage<Extras>,
    options?: StreamOptions,
  ): Promise<MessageStream<Extras>> {
    await this.contents.refer(conversationId, [message])
    const moved = this.activity.saving(this.tenant, conversationId)
    const stream = await this.streams.start(conversationId, message, options)
    await moved
    return stream
  }

  /**
   * Goes on with a message whose writer's lease has ended, behind all that was stored of it.
   *
   * @throws StorageError `NOT_FOUND`; `CONFLICT` while its writer may be alive, when it was ended, or when
   * another process was first; `UNAVAILABLE` while a place is away that may have more of it, or while clocks
   * disagree.
   */
  async resumeMessage(
    conversationId: string,
    id: string,
    options?: StreamOptions,
  ): Promise<MessageStream<Extras>> {
    return await this.streams.resume(conversationId, id, options)
  }

  /**
   * What comes of a message, from the beginning or behind a cursor, in any process; the last event has the
   * whole message.
   *
   * @throws StorageError `NOT_FOUND`, `UNAVAILABLE` or `TIMEOUT`: go on behind the last cursor.
   */
  readStream(options: ReadStreamOptions): AsyncGenerator<StreamEvent<Extras>, void, undefined> {
    return this.streams.read(options)
  }

  /**
   * One pass over the tenant's streams: stores messages whose writers have been dead for `olderThanMs` as
   * `incomplete`, and removes deltas whose messages are gone.
   *
   * @throws StorageError `UNAVAILABLE` while clocks disagree.
   */
  async repairStreams(options?: RepairStreamsOptions): Promise<RepairStreamsReport> {
    return await this.streams.repair(options)
  }

  /** The latest messages as conditions need them, the latest first. @internal */
  async standing(conversationId: string, limit: number): Promise<readonly StandingMessage[]> {
    const { store, tenant, branches } = this
    return await standingMessages({ store, tenant, branches }, conversationId, limit)
  }

  /** Several changes at once, if what was read stands. @throws StorageError as `store.write`. @internal */
  async exchange(conversationId: string, exchange: Exchange): Promise<ChangesOutcome> {
    const { store, tenant, branches } = this
    const parts = { store, tenant, branches }
    const { changes, if: conditions } = await exchangeOf(parts, conversationId, exchange)
    const { removed = [], replaced = [], saved = [], decide = 'anywhere' } = exchange
    await this.contents.refer(conversationId, [...saved, ...replaced.map(({ by }) => by)])
    const moved = this.activity.saving(this.tenant, conversationId)
    const outcome = await store.write(changes, { if: conditions, decide })
    await moved
    for (const { item } of removed) await this.streams.remove(conversationId, item)
    return outcome
  }

  /**
   * Clears a conversation and saves these in one group, with the value of its key. @throws StorageError as
   * `clearHistory`. @internal
   */
  async replaceAll(
    conversationId: string,
    messages: readonly object[],
    register?: unknown,
  ): Promise<WriteOutcome> {
    const key = conversationKey(this.tenant, conversationId)
    const items = itemsOf(messages, 'item')
    await this.contents.refer(conversationId, messages)
    const outcome = await this.branches.clearWith(conversationId, (beside) => [
      ...[key, ...beside].map((each) => ({ kind: 'delete', key: each }) as const),
      ...items.map(({ value }) => {
        return { kind: 'put', key, id: this.store.groups.newId(), value } as const
      }),
      ...(register === undefined ? [] : [{ kind: 'set', key, value: register } as const]),
    ])
    await this.streams.removeAll(conversationId)
    return outcome
  }
}
