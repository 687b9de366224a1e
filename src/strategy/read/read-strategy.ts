import type { StoreManagers } from '../../manager/store-managers.ts'

/**
 * How one value is read. Ours implement it and the full port, `ReadPort`. One of an application's own needs
 * no more than this to be handed to a `StrategicStorageManager`, which then serves `get`, `mget` and
 * `exists` with it. Its limits:
 *
 * - It answers for values alone: reading lists and keys is `UNSUPPORTED`, and `exists` asks for the value.
 * - What the databases lack and the log still has is in its answers only if it looks for it there.
 * - It is not asked for longer than 30 s at a time, and whatever it throws becomes `UNAVAILABLE`, unless it
 *   is a `StorageError`.
 *
 * The erases of the store and the comparing of its databases read by themselves.
 */
export interface ReadStrategy {
  /** Names it in `status` and in messages. */
  readonly name: string
  /** What it was made with; for people. */
  readonly config: object
  /** The value of the key, or undefined when it is absent: null is a value. An outage must reject. */
  execute(key: string, managers: StoreManagers): Promise<unknown>
}
