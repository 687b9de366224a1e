import { StorageError } from '../core/errors.ts'
import type { DatabaseBackend } from './database-backend.ts'

/** What a call of a place that the configuration does not have comes to. */
export function absent(): StorageError {
  return new StorageError('UNSUPPORTED', 'the configuration has no backup', { place: 'backup' })
}

async function refuse(): Promise<never> {
  throw absent()
}

/** Stands where a store has no backup: it is never connected, and answers nothing. */
export const ABSENT_DATABASE: DatabaseBackend = {
  get: refuse,
  set: refuse,
  delete: refuse,
  list: refuse,
  append: refuse,
  getRange: refuse,
  connect: refuse,
  disconnect: async () => {},
  isConnected: () => false,
  getBackendType: () => 'none',
}
