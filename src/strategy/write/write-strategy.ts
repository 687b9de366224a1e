import type { StoreManagers } from '../../manager/store-managers.ts'
import type { WALManager } from '../../wal/wal-manager.ts'

/**
 * How one value is written. Ours implement it and the full port, `WritePort`. One of an application's own
 * needs no more than this to be handed to a `StrategicStorageManager`, which then serves `set`, `delete` and
 * `mset` of one entry with it. Its limits:
 *
 * - It writes single values: lists, and groups of several keys, are `UNSUPPORTED`.
 * - There is no receipt: nobody but the strategy knows which places have the value, so `copies` is empty
 *   and `durable` false.
 * - What it does not write to a database, and does not append to the log, reaches that database by the
 *   comparing of both alone.
 * - It is not waited for longer than 30 s, and whatever it throws becomes `UNAVAILABLE` with an unknown
 *   effect, unless it is a `StorageError`.
 *
 * The erases of the store write by themselves.
 */
export interface WriteStrategy {
  /** Names it in `status` and in messages. */
  readonly name: string
  /** What it was made with; for people. */
  readonly config: object
  /**
   * Writes the value; `undefined` deletes the key. Resolves when the write may be acknowledged. A strategy that
   * knows of nothing but setting deletes as well: while a key is deleted, `undefined` that is set in a database or
   * cache of these managers, or appended to the log, deletes it there.
   */
  execute(
    key: string,
    value: unknown,
    managers: StoreManagers,
    walManager?: WALManager,
  ): Promise<unknown>
}
