import { StorageError } from '../../core/errors.ts'
import type { ReplicaBackend, SearchState } from '../replica-backend.ts'

/** Whether this engine can be searched now. */
export function searchOf(
  backend: Pick<ReplicaBackend, 'getSearch' | 'getBackendType'>,
): SearchState {
  return (
    backend.getSearch?.() ?? {
      state: 'none',
      reason: `${backend.getBackendType()} has no index of texts`,
    }
  )
}

/** Of a database that could have an index. */
export const SEARCH_OFF: SearchState = {
  state: 'off',
  reason: 'it is not indexed: its option search is not set',
}

/** While an index is made of what was there before. */
export function buildingSearch(indexed: number, items: number): SearchState {
  const percent = items === 0 ? 0 : Math.min(99, Math.floor((100 * indexed) / items))
  const reason = `its index is being built: ${percent} %`
  return { state: 'building', reason, indexed, items }
}

/** Why a search cannot be answered: for now, or at all. */
export function noSearch({ state, reason = 'it cannot be searched' }: SearchState): StorageError {
  return new StorageError(state === 'building' ? 'UNAVAILABLE' : 'UNSUPPORTED', reason)
}
