import { addDigest, type BucketDigest, type StampRange } from '../../../core/digest.ts'
import { operationsOf } from '../../../core/merge.ts'
import { rangeStamp } from '../../../core/operation.ts'
import { bucketsOf, type Bucket } from '../../buckets.ts'
import { isInRange } from '../../key-states.ts'
import type { StoredOperation } from '../../replica-backend.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import type { Database } from '../database.ts'
import { KEYS_AT_ONCE } from '../protocol/limits.ts'
import { versionsWith } from './listing.ts'
import { mapLimited } from '../../../core/semaphore.ts'
import { digestOfStored } from '../key/summary.ts'
import type { Version } from '../key/version.ts'

/**
 * Digests from what is stored beside the values: no value is read, no index of a key that stands
 * outside the range or in one bucket, and no version that this process has seen before.
 */
export async function digestRange(
  db: Database,
  client: S3Client,
  range: StampRange,
  count: number,
  call: S3Call,
): Promise<readonly BucketDigest[]> {
  const buckets = bucketsOf(range, count)
  for await (const versions of chunksOf(versionsWith(db, client, '', undefined, call))) {
    await mapLimited(versions, KEYS_AT_ONCE, (version) =>
      addVersion(db, version, range, buckets, call),
    )
  }
  return buckets
}

/** Everything in the range, with the digests that are stored. `db` is one that has nothing in memory. */
export async function* scanRange(
  db: Database,
  client: S3Client,
  range: StampRange,
  call: S3Call,
): AsyncGenerator<StoredOperation> {
  for await (const { key } of versionsWith(db, client, '', undefined, call)) {
    yield* await db.reader.readStored(key, call, async ({ state }, valueOf) => {
      const operations = operationsOf(key, state).filter((operation) => isInRange(operation, range))
      return await mapLimited(operations, KEYS_AT_ONCE, async (operation) => {
        const digest = digestOfStored(operation)
        if (!('value' in operation)) return { operation, digest }
        return { operation: { ...operation, value: await valueOf(operation.value) }, digest }
      })
    })
  }
}

async function addVersion(
  { reader }: Database,
  version: Version,
  range: StampRange,
  buckets: readonly Bucket[],
  call: S3Call,
): Promise<void> {
  const { key, summary } = version
  if (!overlaps(version, range)) return
  const first = bucketAt(buckets, summary.first!)
  if (first !== undefined && first === bucketAt(buckets, summary.last!)) {
    first.count += summary.count
    first.low += summary.low
    first.high += summary.high
    return
  }
  await reader.read(key, call, async ({ state }) => {
    for (const operation of operationsOf(key, state)) {
      const bucket = bucketAt(buckets, rangeStamp(operation))
      if (bucket !== undefined) addDigest(bucket, digestOfStored(operation))
    }
  })
}

function overlaps({ summary }: Version, { from, to }: StampRange): boolean {
  const { first, last } = summary
  return first !== undefined && last !== undefined && first < to && from <= last
}

function bucketAt(buckets: readonly Bucket[], at: string): Bucket | undefined {
  let [low, high] = [0, buckets.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const bucket = buckets[middle]!
    if (at < bucket.from) high = middle - 1
    else if (at >= bucket.to) low = middle + 1
    else return bucket
  }
  return undefined
}

async function* chunksOf<T>(source: AsyncIterable<T>): AsyncGenerator<T[]> {
  let chunk: T[] = []
  for await (const value of source) {
    chunk.push(value)
    if (chunk.length < KEYS_AT_ONCE) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
