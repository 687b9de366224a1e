import { StorageError } from '../../core/errors.ts'
import type { StoreContext } from '../context.ts'
import type { FoundRead, ItemsSearch, ReadPort } from './read-port.ts'

/** The search of a read strategy. @throws StorageError `UNSUPPORTED` for one of the application's own without. */
export function searchCall(
  port: ReadPort,
): (context: StoreContext, query: ItemsSearch) => Promise<FoundRead> {
  return async (context, query) => {
    if (port.search !== undefined) return await port.search(context, query)
    throw new StorageError('UNSUPPORTED', `the read strategy ${port.name} cannot search`)
  }
}
