/** A cache: what it holds may vanish at any moment, so nothing may depend on it. */
export interface CacheBackend {
  get<T>(key: string): Promise<T | undefined>
  /** Without `ttlSeconds` the value stays until it is evicted. */
  set<T>(key: string, value: T, ttlSeconds?: number): Promise<void>
  /**
   * Texts that were set by `setText`, in the order of the keys and if possible in one round trip. A
   * key is used either for texts or for values. Optional, as is `setText`: a cache has both or
   * neither, and without them texts are kept as values.
   */
  getTexts?(keys: readonly string[]): Promise<readonly (string | undefined)[]>
  /** Keeps a text as it is, which costs less than a value, which must become JSON first. */
  setText?(key: string, text: string, ttlSeconds?: number): Promise<void>
  delete(key: string): Promise<void>
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  getBackendType(): string
}
