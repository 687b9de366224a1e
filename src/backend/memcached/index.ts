export { MemcachedCacheBackend } from './cache.ts'
export type { MemcachedOptions } from './options.ts'
