import { isStorageError } from '../core/errors.ts'
import { decodeJson, type JsonText } from '../core/json.ts'

/** Undefined for what is no JSON: it is not ours, or damaged, and a cache may forget. */
export function cachedValue<T>(text: string): T | undefined {
  try {
    return decodeJson<T>(text as JsonText)
  } catch (error) {
    if (isStorageError(error, 'CORRUPT')) return undefined
    throw error
  }
}
