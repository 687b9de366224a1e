import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import type { Env } from '../../core/env.ts'
import { parseEnvelope } from '../../core/encryption/envelope.ts'
import type { ValueCipher } from '../../core/encryption/value-cipher.ts'
import { isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import { BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX } from '../../core/limits.ts'
import { operationBytes, type Operation } from '../../core/operation.ts'
import type { Damage } from '../../wal/file/corrupt.ts'
import { readEntries, readLetters, type EntryOnDisk, type LogOnDisk } from './read-logs.ts'

export interface ReplayReport {
  readonly logs: number
  readonly entries: number
  readonly operations: number
  /** Entries that the database refuses for good. */
  readonly rejected: readonly {
    readonly log: string
    readonly lsn: number
    readonly reason: string
  }[]
  readonly damage: readonly Damage[]
}

/** Time of one batch. Milliseconds. */
const TIMEOUT_MS = 60_000

/**
 * Merges everything that the logs have into a database; without one it only counts. The logs are not
 * changed. Doing it twice is doing it once.
 *
 * @throws StorageError when the database is away: do it again.
 */
export async function replayLogs(
  env: Env,
  logs: readonly LogOnDisk[],
  target: ReplicaBackend | undefined,
  cipher: ValueCipher | undefined,
  onProgress: (entries: number) => void,
): Promise<ReplayReport> {
  const rejected: { log: string; lsn: number; reason: string }[] = []
  const damage: Damage[] = []
  let entries = 0
  let operations = 0
  for (const log of logs) {
    const merge = async (batch: readonly EntryOnDisk[]): Promise<void> => {
      for (const { lsn, reason } of await mergeBatch(target, cipher, batch)) {
        rejected.push({ log: log.path, lsn, reason })
      }
      entries += batch.length
      for (const entry of batch) operations += entry.operations.length
      onProgress(entries)
    }
    damage.push(
      ...(await readEntries(env, log, async (found) => {
        for (const batch of batchesOf(found)) await merge(batch)
      })),
    )
    // The segment of a letter may be gone.
    const letters = await readLetters(env, log, (found) => damage.push(found))
    for (const letter of letters) await merge([letter])
  }
  return { logs: logs.length, entries, operations, rejected, damage }
}

async function mergeBatch(
  target: ReplicaBackend | undefined,
  cipher: ValueCipher | undefined,
  batch: readonly EntryOnDisk[],
): Promise<readonly { lsn: number; reason: string }[]> {
  if (target === undefined) return []
  const apply = async (operations: readonly Operation[]): Promise<void> => {
    const plain = operations.map((operation) => plainOf(operation, cipher))
    await target.apply(plain, { timeoutMs: TIMEOUT_MS })
  }
  try {
    await apply(batch.flatMap((entry) => entry.operations))
    return []
  } catch (error) {
    if (!isRefused(error)) throw error
  }
  const rejected: { lsn: number; reason: string }[] = []
  for (const { lsn, operations } of batch) {
    try {
      await apply(operations)
    } catch (error) {
      if (!isRefused(error)) throw error
      rejected.push({ lsn, reason: messageOf(error) })
    }
  }
  return rejected
}

/** Another try would end alike: the data is refused, or an encrypted value was changed or moved. */
function isRefused(error: unknown): boolean {
  return isStorageError(error, 'REJECTED') || isStorageError(error, 'CORRUPT')
}

function* batchesOf(entries: readonly EntryOnDisk[]): Iterable<readonly EntryOnDisk[]> {
  let batch: EntryOnDisk[] = []
  let count = 0
  let bytes = 0
  for (const entry of entries) {
    batch.push(entry)
    count += entry.operations.length
    for (const operation of entry.operations) bytes += operationBytes(operation)
    if (count < BATCH_OPERATIONS_MAX && bytes < BATCH_BYTES_MAX) continue
    yield batch
    batch = []
    count = 0
    bytes = 0
  }
  if (batch.length > 0) yield batch
}

/** An encrypted value must not get into a database as if it were the plain one. */
function plainOf(operation: Operation, cipher: ValueCipher | undefined): Operation {
  if (cipher !== undefined) return cipher.decrypt(operation)
  if (!('value' in operation) || parseEnvelope(operation.value) === undefined) return operation
  throw new StorageError(
    'UNAVAILABLE',
    'the log is encrypted: EVERTHREAD_ENCRYPTION_KEYS must have its keys',
    { place: 'wal' },
  )
}
