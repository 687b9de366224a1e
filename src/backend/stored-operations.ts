import { digestOf, type StampRange } from '../core/digest.ts'
import type { Operation } from '../core/operation.ts'
import type { CallOptions, ReplicaBackend, StoredOperation } from './replica-backend.ts'

/** A scan with digests of any engine. One that stores none has none that could not fit. */
export async function* storedOperations(
  backend: ReplicaBackend,
  range: StampRange,
  options?: CallOptions,
): AsyncGenerator<StoredOperation> {
  if (backend.scanStored !== undefined) {
    yield* backend.scanStored(range, options)
    return
  }
  for await (const operation of backend.scan(range, options)) yield withDigest(operation)
}

/** For an engine that stores no digests: the one that fits. */
export function withDigest(operation: Operation): StoredOperation {
  return { operation, digest: digestOf(operation) }
}
