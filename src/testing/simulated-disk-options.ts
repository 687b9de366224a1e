import { byDefault, callback, value } from '../core/option-kinds.ts'
import type { OptionTable } from '../core/options.ts'

export interface SimulatedDiskOptions {
  /** Modification times come from here. Default: 0. */
  readonly now?: () => number
  /** Awaited before each operation; takes virtual time. Default: none. */
  readonly delay?: () => Promise<void>
  /** Bytes that all files together may have. Default: no limit. */
  readonly capacity?: number
}

export const SIMULATED_DISK_OPTIONS: OptionTable<SimulatedDiskOptions, 'capacity'> = {
  now: callback(),
  delay: callback(),
  capacity: byDefault(
    Infinity,
    value(
      'a number of bytes, or Infinity',
      (given) => Number(given) >= 0 && typeof given === 'number',
    ),
  ),
}
