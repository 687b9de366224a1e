import { StorageError } from '../../core/errors.ts'

/** Damage, with the file and the offset where it shows. Nothing was changed. */
export interface Damage {
  readonly path: string
  readonly offset: number
  readonly reason: string
}

export function corrupt({ path, offset, reason }: Damage): StorageError {
  return new StorageError('CORRUPT', `${path} is damaged at offset ${offset}: ${reason}`, {
    place: 'wal',
  })
}
