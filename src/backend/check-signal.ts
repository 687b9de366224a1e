import { StorageError } from '../core/errors.ts'

/** Refuses a call whose caller has given up, before any effect. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  const cause: unknown = signal.reason
  throw new StorageError('TIMEOUT', 'the call was aborted', { cause })
}
