import { vi } from 'vitest'

/**
 * Repeats `check` until it no longer throws. Its limit of 30 s is no measure of speed: it only ends
 * a test of something that never comes, so it leaves room for a machine with other work to do.
 */
export async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return await vi.waitFor(check, { timeout: 30_000, interval: 20 })
}
