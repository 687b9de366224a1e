import { rewriteFiles } from '../../backend/redis/upkeep/rewrite-files.ts'
import { withoutErased, type ThroughOf } from '../../core/erase.ts'
import type { Env } from '../../core/env.ts'
import type { WalErased } from '../wal.ts'
import { erasePartition } from './erase-partition.ts'
import type { OpenStream } from './open-stream.ts'

/** How long the server may take to write its files anew. */
const FILES_MS = 20_000

/** Takes payloads out of the streams, out of this process's memory, and out of the server's files. */
export async function eraseStream(
  env: Env,
  { link, router, partitions, entries }: OpenStream,
  throughOf: ThroughOf,
): Promise<WalErased> {
  let count = 0
  let lost = false
  for (const entry of entries.all()) {
    const left = entry.operations && withoutErased(entry.operations, throughOf)
    if (left !== undefined) entry.operations = left
  }
  for (const [partition, { identity }] of partitions.entries()) {
    const erased = await erasePartition(link, partition, identity, throughOf)
    count += erased.changed.size
    lost ||= erased.lost
  }
  const pending = lost ? ['streams of a server that was set up again'] : []
  const keys = partitions.map((_, partition) => `${link.base(partition)}meta`)
  const files = await rewriteFiles(env, router, keys, FILES_MS)
  // What they would append again if the server lost it.
  const remains = ['memory of other processes, until they have seen this erase', ...files]
  return { count, pending, remains }
}
