import { invalid, isStorageError, messageOf } from './errors.ts'
import { checkObject } from './limits.ts'

/**
 * Runs what reads a caller's object, whose getters and proxies may throw anything.
 *
 * @throws StorageError `INVALID_ARGUMENT` for whatever is thrown that is none.
 */
export function reading<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw isStorageError(error) ? error : invalid(`${name} cannot be read: ${messageOf(error)}`)
  }
}

/** A caller's object as a copy of its fields, read once; nothing given has none. Refuses all else. */
export function fieldsOf<T extends object>(name: string, object: T | undefined): Partial<T> {
  if (object === undefined) return {}
  checkObject(name, object)
  return reading(name, () => ({ ...object }))
}
