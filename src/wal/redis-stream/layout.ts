/*
 * Which keys of the server a log uses. A partition is one stream with what belongs to it; all its
 * keys have one hash tag, so that it lies on one server of a Cluster and one script can change it
 * as a whole. A conversation is always in the same partition.
 */

/** What the names of a partition's keys begin with. */
export function partitionBase(prefix: string, partition: number): string {
  return `${prefix}wal:{et:${partition}}:`
}

/** FNV-1a over UTF-16 code units, mixed: the partition of a key, the same in every process. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 12
  return (hash >>> 0) % partitions
}
