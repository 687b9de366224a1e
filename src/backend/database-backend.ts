/**
 * One database. It is all that a backend of your own must implement; `plainAdapter` makes a
 * `ReplicaBackend` of it.
 *
 * A key holds a value and, apart from it, a list. Absence is not an error: `get` returns undefined,
 * `getRange` an empty array. An outage is an error: it never reads as absence.
 */
export interface DatabaseBackend {
  get<T>(key: string): Promise<T | undefined>
  set<T>(key: string, value: T): Promise<void>
  /** Removes the value and the list. */
  delete(key: string): Promise<void>
  /** Keys with a value or a list, sorted by code point. Every character of the prefix is literal. */
  list(prefix: string): Promise<readonly string[]>
  append<T>(key: string, item: T): Promise<void>
  /** Items in list order; `start` is 0-based, negative counts from the end. */
  getRange<T>(key: string, start: number, count: number): Promise<readonly T[]>
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  getBackendType(): string
}
