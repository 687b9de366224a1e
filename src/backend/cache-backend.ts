/** A cache: what it holds may vanish at any moment, so nothing may depend on it. */
export interface CacheBackend {
  get<T>(key: string): Promise<T | undefined>
  /** Without `ttlSeconds` the value stays until it is evicted. */
  set<T>(key: string, value: T, ttlSeconds?: number): Promise<void>
  delete(key: string): Promise<void>
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  getBackendType(): string
}
