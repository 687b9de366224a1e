import { BranchedHistory } from '../branches/branched-history.ts'
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
}
