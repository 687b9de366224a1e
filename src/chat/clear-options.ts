import { byDefault, ms, oneOf } from '../core/option-kinds.ts'
import type { OptionTable } from '../core/options.ts'
import { DATABASE_PLACES } from '../core/places.ts'
import { DAY_MS } from '../core/time.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../strategy/write/write-port.ts'
import { ERASED_FORKS, type ErasedForks } from './branches/branch-options.ts'
import type { ClearReceipt } from './message.ts'

/** How a clear is waited for. */
export interface ClearOptions {
  /**
   * `acknowledged` resolves like a save; a place that is out follows when it is back. `everywhere`
   * waits up to 30 s for both databases and says which of them are clear. Default: `acknowledged`.
   */
  readonly wait?: 'acknowledged' | 'everywhere'
}

/** How an erase is waited for. */
export interface EraseOptions {
  /** How long to wait for the places, at most a day. Milliseconds. Default: 30,000. */
  readonly deadlineMs?: number
  /**
   * What becomes of forks, which have or share its messages: `refuse`, with `CONFLICT` that names them, `keep`
   * copies what they share into them first, `erase` erases them, and theirs, too. Default: `refuse`.
   */
  readonly forks?: ErasedForks
}

export const CLEAR: OptionTable<ClearOptions, 'wait'> = {
  wait: byDefault('acknowledged', oneOf('acknowledged', 'everywhere')),
}
export const ERASE: OptionTable<EraseOptions, 'deadlineMs' | 'forks'> = {
  deadlineMs: byDefault(30_000, ms(0, DAY_MS)),
  forks: byDefault('refuse', ERASED_FORKS),
}

/** What a clear came to, once it is where it was to be waited for. */
export async function clearReceipt(
  store: StrategicStorageManager,
  key: string,
  { copies, durable, operations }: WriteOutcome,
  wait: 'acknowledged' | 'everywhere',
): Promise<ClearReceipt> {
  const has = DATABASE_PLACES.filter((place) => copies.includes(place))
  if (wait === 'acknowledged' || has.length === DATABASE_PLACES.length) {
    return { copies, durable, clear: has }
  }
  const clear = await store.waitUntilCleared(key, operations[0]!.stamp)
  return { copies, durable, clear }
}
