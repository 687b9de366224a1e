import type { IndexProgress } from '../../backend/search/search-indexer.ts'
import { buildingSearch } from '../../backend/search/search-state.ts'
import type { Findings } from './finding.ts'

/** How far the index of texts is, where there is one. */
export function examineSearch(progress: IndexProgress | undefined, found: Findings): void {
  if (progress === undefined) return
  const { isBuilt, indexed, items } = progress
  if (isBuilt) found.ok('searchable', 'there is an index of texts')
  else {
    const { reason } = buildingSearch(indexed, items)
    found.note('searchable', reason!, 'everthread migrate waits until it is built')
  }
}
