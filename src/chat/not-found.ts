import { StorageError } from '../core/errors.ts'

/** Why there is no message of this id: `complete` says whether that is certain. */
export function notFound(id: string, complete: boolean): StorageError {
  return complete
    ? new StorageError('NOT_FOUND', `there is no message ${JSON.stringify(id)}`)
    : new StorageError(
        'UNAVAILABLE',
        `message ${JSON.stringify(id)} was not found, and a place that may have it cannot be reached`,
      )
}
