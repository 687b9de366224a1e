import { mapLimited } from '../core/semaphore.ts'
import { StorageError } from '../core/errors.ts'
import type { CallOptions, KeyRead, KeyReads, ReplicaBackend } from './replica-backend.ts'

/** Keys that are read at once from an engine that reads one at a time. */
const READS_AT_ONCE = 16

/** `readRegisters` of any engine: one that leaves it out is asked for each key. */
export async function readRegistersOf(
  backend: ReplicaBackend,
  keys: readonly string[],
  options: CallOptions | undefined,
): Promise<KeyReads> {
  if (backend.readRegisters !== undefined) return await backend.readRegisters(keys, options)
  return await readEachRegister(keys, READS_AT_ONCE, (key) => backend.readRegister(key, options))
}

/** The same by single reads, so many at once. At least one key. */
export async function readEachRegister(
  keys: readonly string[],
  atOnce: number,
  read: (key: string) => Promise<KeyRead>,
): Promise<KeyReads> {
  return joinReads(await mapLimited(keys, atOnce, read))
}

/** One answer of several of one database. */
export function joinReads(reads: readonly KeyRead[]): KeyReads {
  const { identity } = reads[0]!
  if (reads.some((each) => each.identity !== identity)) {
    throw new StorageError('UNAVAILABLE', 'the database was replaced while it was read')
  }
  return { identity, reads }
}
