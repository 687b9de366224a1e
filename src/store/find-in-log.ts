import { StorageError } from '../core/errors.ts'
import { DATABASE_PLACES, type AppendOperation, type Operation } from '../core/operation.ts'
import type { StoreContext } from '../strategy/context.ts'

export interface Found {
  /** The group, with the stamps that this process gave to a first try it still knows. */
  readonly operations: readonly Operation[]
  /** All of it was saved, and cleared since: repeating it must not bring it back. */
  readonly cleared: boolean
}

/**
 * Looks the appends of one key up in the log: a repeat of a save that a place still lacks keeps
 * its stamps, also when no database can be asked whether the id is there.
 *
 * @throws StorageError `CONFLICT` when the log has an id with other content.
 */
export async function findInLog(
  context: StoreContext,
  operations: readonly Operation[],
): Promise<Found> {
  const key = operations[0]!.key
  const { log } = context
  if (!log.isShared() && !DATABASE_PLACES.some((place) => log.hasPending(place, key))) {
    return { operations, cleared: false }
  }
  const known = new Map<string, AppendOperation>()
  const changed = new Set<string>()
  for (const place of DATABASE_PLACES) {
    for (const operation of await log.pending(place, key)) {
      if (operation.kind !== 'put') continue
      if (operation.change === 'append') known.set(operation.id, operation)
      else changed.add(operation.id)
    }
  }
  const deletedThrough = context.tombstones.get(key)
  let cleared = 0
  const found = operations.map((operation) => {
    const first = operation.kind === 'put' ? known.get(operation.id) : undefined
    if (first === undefined) return operation
    // What was edited or removed since counts as the same content.
    if ('value' in operation && operation.value !== first.value && !changed.has(first.id)) {
      throw new StorageError('CONFLICT', `id ${first.id} is there with other content`)
    }
    if (deletedThrough !== undefined && first.position <= deletedThrough) cleared++
    return first
  })
  return { operations: found, cleared: cleared === operations.length }
}
