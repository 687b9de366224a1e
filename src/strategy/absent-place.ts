import { absent } from '../backend/absent-database.ts'
import type {
  ApplyResult,
  ReplicaState,
  SearchState,
  StoredOperation,
} from '../backend/replica-backend.ts'
import type { Operation } from '../core/operation.ts'
import { Place } from './place.ts'

/**
 * The backup of a store that has none. It is asked for nothing, which no health manager hears of; what the
 * log would bring to it is let go of: primary and log are the two places then.
 */
export class AbsentPlace extends Place {
  override readonly isAbsent = true

  override isHealthy(): boolean {
    return false
  }

  override isUp(): boolean {
    return false
  }

  override serverIds(): readonly string[] {
    return []
  }

  override isDurable(): boolean {
    return false
  }

  override mayBeDurable(): boolean {
    return false
  }

  override getSearch(): SearchState {
    return { state: 'none', reason: 'the configuration has no backup' }
  }

  override async flush(operations: readonly Operation[]): Promise<ApplyResult> {
    return { identity: 'none', applied: operations.map(() => ({ outcome: 'applied' })) }
  }

  override async readState(): Promise<ReplicaState> {
    throw absent()
  }

  override async call<T>(): Promise<T> {
    throw absent()
  }

  override async longCall<T>(): Promise<T> {
    throw absent()
  }

  // oxlint-disable-next-line require-yield
  override async *scanStored(): AsyncGenerator<StoredOperation> {
    throw absent()
  }
}
