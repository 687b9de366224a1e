import type { StoreStatus } from '../store/status.ts'
import type { StoreEvents } from '../store/store-events.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { PassOptions, VerifyOptions } from '../sync/reconciler.ts'

/** Calls of a history about its store: how the places are, and what brings them together. */
export abstract class HistoryUpkeep {
  /** The store underneath, for its events and everything that is not about messages. */
  abstract get store(): StrategicStorageManager

  /** What works, what lags and what is wrong; costs no round trip. */
  status(): StoreStatus {
    return this.store.status()
  }

  /** Compares both databases; changes nothing. With `deep` every value with its digest, too. */
  async verify(options?: VerifyOptions): Promise<ReconcileReport> {
    return await this.store.verify(options)
  }

  /** Compares both databases and copies what either lacks. */
  async reconcile(options?: PassOptions): Promise<ReconcileReport> {
    return await this.store.reconcile(options)
  }

  /** Writes the intact values of the other database over damaged ones, and reconciles. */
  async repair(options?: PassOptions): Promise<ReconcileReport> {
    return await this.store.repair(options)
  }

  /** Resolves when both databases have all that was acknowledged before the call. */
  async flush(): Promise<void> {
    await this.store.flushWAL()
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof StoreEvents>(
    name: Name,
    listener: (event: StoreEvents[Name]) => void,
  ): () => void {
    return this.store.on(name, listener)
  }
}
