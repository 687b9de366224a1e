import type { CacheBackend } from './cache-backend.ts'

/** `getTexts` of any cache: one without it is asked for each text as a value. */
export async function getTexts(
  cache: CacheBackend,
  keys: readonly string[],
): Promise<readonly (string | undefined)[]> {
  if (cache.getTexts !== undefined) return await cache.getTexts(keys)
  const values = await Promise.all(keys.map((key) => cache.get<unknown>(key)))
  return values.map((value) => (typeof value === 'string' ? value : undefined))
}

/** `setText` of any cache. */
export async function setText(
  cache: CacheBackend,
  key: string,
  text: string,
  ttlSeconds?: number,
): Promise<void> {
  if (cache.setText !== undefined) await cache.setText(key, text, ttlSeconds)
  else await cache.set(key, text, ttlSeconds)
}
