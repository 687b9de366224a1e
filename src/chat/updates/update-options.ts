import type { Stamp } from '../../core/stamp.ts'
import { byDefault, oneOf, value } from '../../core/option-kinds.ts'
import type { OptionTable } from '../../core/options.ts'
import { isStamp } from '../../core/stamp.ts'
import type { Decider } from '../../strategy/write/write-port.ts'
import type { ChatMessage } from '../message.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** When a message is replaced. */
export interface UpdateOptions {
  /**
   * Only while this is the stamp of its latest change, as a receipt or `getMessageEntry` gave it; otherwise the
   * update is a `CONFLICT`. Default: whatever stands.
   */
  readonly ifStamp?: Stamp
  /** With `ifStamp`: who judges it, as `decide` of `store.write`. Default: `anywhere`. */
  readonly decide?: Decider
}

/** A message, where it stands, and the stamp of its latest change. */
export interface MessageEntry<Extras extends object | ProviderName = {}> {
  readonly message: ChatMessage<Extras>
  /** A cursor: what `before` and `after` of `getHistory` take. */
  readonly position: Stamp
  /** What `ifStamp` of `updateMessage` must say to replace this version of it. */
  readonly stamp: Stamp
}

export const UPDATE: OptionTable<UpdateOptions, 'decide'> = {
  ifStamp: value<Stamp>('a stamp', isStamp),
  decide: byDefault<Decider>('anywhere', oneOf('anywhere', 'primary')),
}
