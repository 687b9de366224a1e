import type { StorageManager } from './storage-manager.ts'

/** The managers of a store's places; `backup` and `cache` where its configuration has one. */
export interface StoreManagers {
  readonly primary: StorageManager
  readonly backup?: StorageManager
  readonly cache?: StorageManager
}
