import { byDefault, ms, oneOf } from '../core/option-kinds.ts'
import type { OptionTable } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'

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
}

export const CLEAR: OptionTable<ClearOptions, 'wait'> = {
  wait: byDefault('acknowledged', oneOf('acknowledged', 'everywhere')),
}
export const ERASE: OptionTable<EraseOptions, 'deadlineMs'> = {
  deadlineMs: byDefault(30_000, ms(0, DAY_MS)),
}
