import { CONVERSATION_ID_BYTES_MAX } from '../../core/limits.ts'
import {
  abortSignal,
  byDefault,
  callback,
  integer,
  ms,
  secret,
  text,
} from '../../core/option-kinds.ts'
import type { OptionTable } from '../../core/options.ts'
import type { FeedState, SubscribeOptions } from './change.ts'

export const SUBSCRIBE: OptionTable<SubscribeOptions, 'pollInterval' | 'bufferMax'> = {
  conversationId: text(CONVERSATION_ID_BYTES_MAX),
  since: secret(),
  signal: abortSignal(),
  pollInterval: byDefault(100, ms(20, 60_000)),
  bufferMax: byDefault(1_000, integer(1, 10_000)),
  onState: callback<(state: FeedState) => void>(),
}
