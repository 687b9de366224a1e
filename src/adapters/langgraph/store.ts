export class EverthreadStore {}
export interface EverthreadStoreOptions {
  readonly ttlMs?: number
}
