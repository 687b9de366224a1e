import { invalid } from '../core/errors.ts'
import type { StorageManager } from '../manager/storage-manager.ts'
import type { StoreManagers } from '../manager/store-managers.ts'
import type { ReadPort } from './read/read-port.ts'
import type { WriteOutcome, WritePort } from './write/write-port.ts'

/** What a store does for a strategy that is called by itself. */
export interface StoreCalls {
  get<T>(read: ReadPort, key: string): Promise<T | undefined>
  /** `undefined` deletes. */
  set(write: WritePort, key: string, value: unknown): Promise<WriteOutcome>
}

const STORES = new WeakMap<StorageManager, StoreCalls>()

/** From now on strategies find the store by the managers of its places. */
export function rememberStore({ primary }: StoreManagers, calls: StoreCalls): void {
  STORES.set(primary, calls)
}

/**
 * The store of these managers: our strategies need its log and its clock, also when they are called by
 * themselves.
 *
 * @throws StorageError `INVALID_ARGUMENT` for managers of no store.
 */
export function storeOf(managers: StoreManagers): StoreCalls {
  const given: unknown = managers
  const primary =
    typeof given === 'object' && given !== null ? (given as StoreManagers).primary : undefined
  const calls = primary === undefined ? undefined : STORES.get(primary)
  if (calls === undefined) {
    throw invalid('managers must be those of a StrategicStorageManager: getStorageManagers()')
  }
  return calls
}
