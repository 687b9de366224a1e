import { isPermanent, isStorageError } from '../core/errors.ts'
import { UsageError } from './usage-error.ts'

/** How a command ended. Part of the public interface: `docs/command-line.md` has the table. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  /** Some of it was done: bad lines, conflicts, a place that is out. */
  partial: 3,
  /** The store could not be reached, or did not take a write within `--retry-for`. */
  unavailable: 4,
  /** Something stored is damaged, and no database has it intact. */
  damaged: 5,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage
  if (!isStorageError(error)) return EXIT.failure
  // To try it again later is in vain: the settings ask for what cannot be.
  if (error.code === 'CONNECTION' && isPermanent(error)) return EXIT.usage
  switch (error.code) {
    case 'INVALID_ARGUMENT':
      return EXIT.usage
    case 'CONFLICT':
      return EXIT.partial
    case 'CONNECTION':
    case 'OVERLOADED':
    case 'TIMEOUT':
    case 'UNAVAILABLE':
      return EXIT.unavailable
    default:
      return EXIT.failure
  }
}
