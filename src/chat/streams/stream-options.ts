import { abortSignal, argument, byDefault, integer, ms, text } from '../../core/option-kinds.ts'
import { CONVERSATION_ID_BYTES_MAX, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import type { OptionTable } from '../../core/options.ts'
import type { AssistantMessage, ChatMessage } from '../message.ts'
import type { StreamDelta } from './step.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** A message as a stream begins: the content may be left out, and is `''` then. */
export type StartedMessage<Extras extends object | ProviderName = {}> = Omit<
  AssistantMessage,
  'content'
> & {
  readonly content?: AssistantMessage['content']
} & Extras

/** How a stream is written. */
export interface StreamOptions {
  /**
   * How long its writer may be silent before others take it for dead: it says that it lives three times as
   * often. Milliseconds, 3,000 to a day. Default: 15,000.
   */
  readonly leaseMs?: number
}

/** Which stream is followed, and how. */
export interface ReadStreamOptions {
  readonly conversationId: string
  readonly id: string
  /** The cursor of the last event that came before. Default: from the beginning. */
  readonly after?: number
  /** How often the databases are asked for more. Milliseconds, 10 to 60,000. Default: 200. */
  readonly pollMs?: number
  /** Ends the stream of events, without an error. */
  readonly signal?: AbortSignal
}

/** What `readStream` gives, one after another. */
export type StreamEvent<Extras extends object | ProviderName = {}> =
  | {
      readonly type: 'delta'
      /** To be passed as `after`, to go on behind this event. */
      readonly cursor: number
      readonly deltas: readonly StreamDelta[]
    }
  | {
      /** The last event: nobody writes any more. The whole message, also what came in no delta. */
      readonly type: 'end'
      readonly message: ChatMessage<Extras>
    }

/** Which streams `repairStreams` closes. */
export interface RepairStreamsOptions {
  /** Only those whose writers have been dead for so long. Milliseconds. Default: 3,600,000, an hour. */
  readonly olderThanMs?: number
}

/** What `repairStreams` did. */
export interface RepairStreamsReport {
  /** Messages that are stored as `incomplete` now. */
  readonly closed: number
  /** Deltas without a message that were removed: of so many streams. */
  readonly removed: number
  /** Streams that were left as they are: alive, too young, or not to be read. */
  readonly left: number
}

const LEASE_MS_MAX = 86_400_000

export const STREAM: OptionTable<StreamOptions, 'leaseMs'> = {
  leaseMs: byDefault(15_000, ms(3_000, LEASE_MS_MAX)),
}
export const READ_STREAM: OptionTable<ReadStreamOptions, 'after' | 'pollMs'> = {
  conversationId: argument(text(CONVERSATION_ID_BYTES_MAX)),
  id: argument(text(MESSAGE_ID_BYTES_MAX)),
  after: byDefault(0, integer(0, Number.MAX_SAFE_INTEGER)),
  pollMs: byDefault(200, ms(10, 60_000)),
  signal: abortSignal(),
}
export const REPAIR_STREAMS: OptionTable<RepairStreamsOptions, 'olderThanMs'> = {
  olderThanMs: byDefault(3_600_000, ms(0, Number.MAX_SAFE_INTEGER)),
}
