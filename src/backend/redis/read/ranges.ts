/*
 * Digests and scans follow the time line of each shard, a bounded part a call: the server does
 * nothing else while a script runs. A range that is written to meanwhile is not seen as of one
 * moment; whoever compares it compares again.
 */
import type { BucketDigest, StampRange } from '../../../core/digest.ts'
import { groupBy } from '../../../core/group-by.ts'
import type { JsonText } from '../../../core/json.ts'
import type { Operation } from '../../../core/operation.ts'
import { bucketsOf, type Bucket } from '../../buckets.ts'
import type { CallOptions, StoredOperation } from '../../replica-backend.ts'
import { momentOf, type Moment } from '../keyspace/moment.ts'
import { fieldsOf, readRecord, storedOfRecord } from '../keyspace/record.ts'
import { DIGEST } from '../scripts/digest-2.ts'
import { READ_IDS } from '../scripts/read-ids-n.ts'
import { READ_TIME } from '../scripts/read-time-2.ts'
import { REPAIR } from '../scripts/repair-12.ts'
import type { ScriptRunner } from '../keyspace/script-runner.ts'

/** Members that one call of a digest sums. */
const DIGEST_STEPS = 5_000
/** Operations that one call of a scan reads. */
const SCAN_STEPS = 500

export async function digestRange(
  runner: ScriptRunner,
  range: StampRange,
  count: number,
  options?: CallOptions,
): Promise<readonly BucketDigest[]> {
  const buckets = bucketsOf(range, count)
  const { layout } = await runner.open(options)
  await Promise.all(
    Array.from({ length: layout.shards }, async (_, shard) => {
      await digestShard(runner, shard, range, buckets, options)
    }),
  )
  return buckets
}

async function digestShard(
  runner: ScriptRunner,
  shard: number,
  { from, to }: StampRange,
  buckets: readonly Bucket[],
  options?: CallOptions,
): Promise<void> {
  const edges = buckets.slice(1).map((bucket) => bucket.from)
  let next = `[${from}`
  while (next !== '') {
    const min = next
    const { reply } = await runner.ask((db) => {
      const keys = [db.layout.meta(shard), db.layout.part(shard, 'time')]
      const args = [db.identity, min, to, String(DIGEST_STEPS), ...edges]
      return { script: DIGEST, keys, args, writes: false }
    }, options)
    buckets.forEach((bucket, i) => {
      bucket.count += Number(reply[1 + 3 * i])
      bucket.low += Number(reply[2 + 3 * i])
      bucket.high += Number(reply[3 + 3 * i])
    })
    next = String(reply[0])
  }
}

/** Reads page by page; `timeoutMs` is the limit of each call. */
export async function* scanRange(
  runner: ScriptRunner,
  range: StampRange,
  options?: CallOptions,
): AsyncGenerator<StoredOperation> {
  const { layout } = await runner.open(options)
  for (let shard = 0; shard < layout.shards; shard++) {
    let min = `[${range.from}`
    for (;;) {
      const from = min
      const { reply } = await runner.ask((db) => {
        const keys = [db.layout.meta(shard), db.layout.part(shard, 'time')]
        const args = [db.identity, from, range.to, String(SCAN_STEPS)]
        return { script: READ_TIME, keys, args, writes: false }
      }, options)
      const members = reply as readonly string[]
      yield* await operationsAt(runner, shard, members.map(momentOf), options)
      if (members.length < SCAN_STEPS) break
      min = `(${members.at(-1)!}`
    }
  }
}

/** Writes values over those that stand with the same stamps; returns how many were written. */
export async function repairRecords(
  runner: ScriptRunner,
  operations: readonly Operation[],
  options?: CallOptions,
): Promise<number> {
  let written = 0
  for (const operation of operations) {
    const { reply } = await runner.ask(({ identity, layout }) => {
      const { key } = operation
      const shard = layout.shardOf(key)
      const keys = [...layout.shardKeys(shard), layout.hash(shard, key), layout.set(shard, key)]
      const { kind, id, position, stamp, digest, value } = fieldsOf(operation)
      const prefix = String(layout.hashPrefixBytes(shard))
      const args = [identity, prefix, kind, id, position, stamp, digest, value]
      return { script: REPAIR, keys, args, writes: true }
    }, options)
    written += Number(reply[0])
  }
  return written
}

async function operationsAt(
  runner: ScriptRunner,
  shard: number,
  moments: readonly Moment[],
  options?: CallOptions,
): Promise<readonly StoredOperation[]> {
  if (moments.length === 0) return []
  const groups = [...groupBy(moments, ({ key }) => key)]
  const { reply } = await runner.ask((db) => {
    const { layout } = db
    const hashes = groups.map(([key]) => layout.hash(shard, key))
    const shared = [layout.part(shard, 'locks'), layout.part(shard, 'heads')]
    const keys = [layout.meta(shard), ...shared, ...hashes]
    const ids = groups.flatMap(([, list]) => ['', String(list.length), ...list.map(({ id }) => id)])
    return { script: READ_IDS, keys, args: [db.identity, ...ids], writes: false }
  }, options)
  return groups.flatMap(([, list], n) => {
    const [deletedThrough, stamp, value, ...records] = reply[n] as readonly (string | null)[]
    return list.flatMap((moment, i) => {
      const { key, kind } = moment
      if (kind === 'd') return deleteOf(moment, deletedThrough)
      if (kind === 's') return setOf(moment, stamp, value)
      return putsOf(key, moment, records[i])
    })
  })
}

function deleteOf(
  { key, place, digest }: Moment,
  stamp: string | null | undefined,
): StoredOperation[] {
  // Cleared again since the time line was read: another digest belongs to that.
  if (stamp !== place) return []
  return [{ operation: { kind: 'delete', key, stamp: place }, digest }]
}

function setOf(
  { key, place, digest }: Moment,
  stamp: string | null | undefined,
  value: string | null | undefined,
): StoredOperation[] {
  if (stamp !== place) return []
  const text = (value ?? '') as JsonText
  return [{ operation: { kind: 'set', key, stamp: place, value: text }, digest }]
}

/** The operation of this kind; all of the item's when it has changed since and has none. */
function putsOf(key: string, moment: Moment, record: string | null | undefined): StoredOperation[] {
  const { id, kind, place, digest } = moment
  const item = record === null || record === undefined ? undefined : readRecord(id, record)
  if (item === undefined) return record === undefined ? [] : [unreadable(key, moment)]
  const stored = storedOfRecord(key, item, record!)
  const same = stored.filter(({ operation }) => operation.change[0] === kind)
  const [one] = same
  // It stands where the time line says: that has the digest which is summed.
  if (one?.operation.position === place) return [{ operation: one.operation, digest }]
  return same.length > 0 ? same : stored
}

/** What the time line has, though its record cannot be read. */
function unreadable(key: string, { id, kind, place, digest }: Moment): StoredOperation {
  const value = '' as JsonText
  const put = { kind: 'put', key, id, position: place, stamp: place } as const
  if (kind === 'r') return { operation: { ...put, change: 'remove' }, digest: -1 }
  const change = kind === 'a' ? 'append' : 'edit'
  return { operation: { ...put, change, value }, digest }
}
