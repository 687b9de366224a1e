import type { Env } from '../../core/env.ts'
import { StorageError } from '../../core/errors.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import type { StreamLink } from './link.ts'
import { OPEN, POLL } from './scripts/scripts.ts'

/** Whose entries may be taken over. */
export interface ClaimOptions {
  readonly consumer: string
  /** Entries that were left alone for this long may be taken. Milliseconds. */
  readonly leaseMs: number
  /** Writers whose entries may be taken at once. */
  readonly ended: readonly string[]
}

/** What a partition said when it was last looked at or polled. */
export interface Partition {
  readonly identity: string
  readonly run: string
  /** Greatest number given out. */
  number: number
  /** Greatest stamp appended, or empty. */
  head: string
  /** Bytes that places lack. */
  bytes: number
  /** Entries kept. */
  entries: number
}

export interface Looked {
  readonly partitions: readonly Partition[]
  /** Partitions that were in another run, or another database, when they were last looked at. */
  readonly changed: readonly number[]
}

/**
 * Looks at all partitions, makes what is not there, and makes the scripts known. `known` is what this
 * process saw last: a server that knows less has lost something, and continues above it.
 */
export async function lookAtPartitions(
  env: Env,
  link: StreamLink,
  wanted: number,
  known: readonly Partition[],
): Promise<Looked> {
  const identity = Buffer.from(env.randomBytes(16)).toString('hex')
  const look = async (index: number, count: number): Promise<readonly string[]> => {
    const before = known[index]
    const { run = '', number = 0, head = '' } = before ?? {}
    const args = [identity, String(count), run, String(number), head]
    return (await link.evaluate(index, OPEN, args)).map(String)
  }
  // The first one decides how many there are.
  const first = await look(0, known.length > 0 ? known.length : wanted)
  const count = Number(first[1])
  if (known.length > 0 && known.length !== count) {
    throw new StorageError('CORRUPT', `the log was created again with ${count} partitions`, {
      place: 'wal',
    })
  }
  const indexes = Array.from({ length: count - 1 }, (_, i) => i + 1)
  const replies = [first, ...(await Promise.all(indexes.map((index) => look(index, count))))]
  const partitions = replies.map(([id, , run, number, head, bytes]): Partition => ({
    identity: id!,
    run: run!,
    number: Number(number),
    head: head!,
    bytes: Number(bytes),
    entries: 0,
  }))
  for (const [index, { run }] of partitions.entries()) await link.introduce(index, run)
  const changed = partitions.flatMap(({ run, identity: id }, index) => {
    const before = known[index]
    return before !== undefined && (before.run !== run || before.identity !== id) ? [index] : []
  })
  return { partitions, changed }
}

/** Notes what partitions say now. Returns for each place whether there is something to take over. */
export async function pollPartitions(
  link: StreamLink,
  { consumer, leaseMs }: ClaimOptions,
  partitions: readonly Partition[],
): Promise<Readonly<Record<DatabasePlace, boolean>>> {
  const claimable = { primary: false, backup: false }
  await Promise.all(
    partitions.map(async (partition, index) => {
      const reply = await link.call(index, POLL, [consumer, String(leaseMs)])
      const [identity, number, head, bytes, entries, primary, backup] = reply.map(String)
      if (identity !== partition.identity) {
        // Made anew while the server runs: everything is looked at again.
        link.distrust()
        return
      }
      partition.number = Math.max(partition.number, Number(number))
      partition.head = head! > partition.head ? head! : partition.head
      partition.bytes = Number(bytes)
      partition.entries = Number(entries)
      if (Number(primary) > 0) claimable.primary = true
      if (Number(backup) > 0) claimable.backup = true
    }),
  )
  return claimable
}

/** The greatest stamp appended. */
export function headOf(partitions: readonly Partition[]): Stamp | undefined {
  let head: Stamp | undefined
  for (const partition of partitions) {
    if (partition.head !== '') head = maxStamp(head, partition.head as Stamp)
  }
  return head
}

/** Bytes that places lack, but for those of one partition. */
export function bytesOf(partitions: readonly Partition[], except?: number): number {
  return partitions.reduce((sum, { bytes }, i) => sum + (i === except ? 0 : bytes), 0)
}
