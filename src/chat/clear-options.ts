import { byDefault, ms, oneOf } from '../core/option-kinds.ts'
import type { OptionTable } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'
import { ERASED_FORKS, type ErasedForks } from './branches/branch-options.ts'

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
