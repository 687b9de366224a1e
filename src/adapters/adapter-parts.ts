/* What adapters share: keys of any text, groups of values of any size, and removals that are complete or an error. */
import { tenantPrefix } from '../chat/keys.ts'
import { invalid, StorageError } from '../core/errors.ts'
import { GROUP_BYTES_MAX } from '../core/limits.ts'
import { showKind } from '../core/show-value.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'

/** Most bytes of one group: half of what one may have, for what stands beside the values. */
const BYTES_MAX: number = GROUP_BYTES_MAX / 2
/** Keys that one call removes. */
const KEYS_AT_ONCE = 100_000

/** What all keys of an adapter start with that are no conversations. `eraseTenant` takes them along. */
export function adapterPrefix(tenant: string, adapter: string): string {
  return `${tenantPrefix(tenant, 'adapter')}${adapter}/`
}

/**
 * Any text as a part of a key: without `/`, and without what no key may have.
 *
 * @throws StorageError `INVALID_ARGUMENT` for what is no text.
 */
export function keyPart(text: string, name = 'key'): string {
  if (typeof text !== 'string') throw invalid(`${name} must be a string, got ${showKind(text)}`)
  return text.replace(/[%/\p{Cc}\p{Cs}]/gu, (character) => {
    return `%${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** The text of which `keyPart` made this. */
export function textOfPart(part: string): string {
  return part.replace(/%([0-9a-f]{4})/g, (_, code: string) => {
    return String.fromCharCode(Number.parseInt(code, 16))
  })
}

/** The values in groups of at most so many, and of at most 8 MiB unless one alone has more. */
export function groupsOf<T>(
  values: readonly T[],
  countMax: number,
  bytesOf: (value: T) => number,
): T[][] {
  const groups: T[][] = []
  let group: T[] = []
  let bytes = 0
  for (const value of values) {
    const own = bytesOf(value)
    if (group.length === countMax || (group.length > 0 && bytes + own > BYTES_MAX)) {
      groups.push(group)
      group = []
      bytes = 0
    }
    group.push(value)
    bytes += own
  }
  return group.length === 0 ? groups : [...groups, group]
}

/**
 * Removes everything under the prefix.
 *
 * @throws StorageError `UNAVAILABLE` while a place is away that may have more; what was found is removed then.
 */
export async function removeAll(store: StrategicStorageManager, prefix: string): Promise<void> {
  for (;;) {
    const { deleted, done } = await store.deletePrefix(prefix, { maxKeys: KEYS_AT_ONCE })
    if (done) return
    if (deleted < KEYS_AT_ONCE) throw mayHaveMore()
  }
}

/** Of a removal by what a place had that could not see all. */
export function mayHaveMore(): StorageError {
  const text = 'a place is away that may have more to be removed: repeat it'
  return new StorageError('UNAVAILABLE', text, { effect: 'unknown', operation: 'delete' })
}
