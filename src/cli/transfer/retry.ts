import { setTimeout as sleep } from 'node:timers/promises'
import { isPermanent, isStorageError } from '../../core/errors.ts'

const FIRST_DELAY_MS = 100
const DELAY_MS_MAX = 5_000

/** True when the same call may well succeed a little later. */
export function isTemporary(error: unknown): boolean {
  return (
    isStorageError(error, 'UNAVAILABLE') ||
    isStorageError(error, 'OVERLOADED') ||
    isStorageError(error, 'TIMEOUT') ||
    (isStorageError(error, 'CONNECTION') && !isPermanent(error))
  )
}

export interface RetryOptions {
  /** How long one call is repeated before its error counts. Milliseconds; 0 for never. */
  readonly retryForMs: number
  /** Ends the waiting: the last error is thrown. */
  readonly signal: AbortSignal
  readonly onRetry?: (error: unknown, delayMs: number) => void
}

/**
 * Repeats a call that is harmless to repeat while it fails for a temporary reason. The delay
 * doubles, with a random part taken off, so that many clients do not come back at once.
 */
export async function retry<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { retryForMs, signal, onRetry } = options
  const start = performance.now()
  for (let attempt = 0; ; attempt++) {
    try {
      return await action()
    } catch (error) {
      const leftMs = retryForMs - (performance.now() - start)
      if (!isTemporary(error) || leftMs <= 0 || signal.aborted) throw error
      const full = Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** Math.min(attempt, 16))
      const delayMs = Math.min(leftMs, full * (0.5 + Math.random() / 2))
      onRetry?.(error, delayMs)
      // Aborting only ends the wait early: the next failure is then the last.
      await sleep(delayMs, undefined, { signal }).catch(() => {})
    }
  }
}
