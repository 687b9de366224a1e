import type { Hint } from '../../backend/replica-backend.ts'

const SUFFIX = '/cache'

/**
 * Under this name a writer raises a hint when it cannot tell the cache what it changes: while the
 * hint stands no reader uses the cache. A reconcile, which copies what other hints are about, must
 * not take this one away.
 */
export function cacheHintOf(writer: string): string {
  return writer + SUFFIX
}

export function isCacheHint({ writer }: Hint): boolean {
  return writer.endsWith(SUFFIX)
}

/** The writer that raised a hint, whatever it is about. */
export function raiserOf({ writer }: Hint): string {
  return writer.endsWith(SUFFIX) ? writer.slice(0, -SUFFIX.length) : writer
}
