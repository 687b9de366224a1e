import type { Env } from '../../core/env.ts'
import { StorageError } from '../../core/errors.ts'
import type { StreamLink } from './link.ts'
import { OPEN } from './scripts/scripts.ts'

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
    throw new StorageError('CORRUPT', `the log was made anew with ${count} partitions`, {
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
