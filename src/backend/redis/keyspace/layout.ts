import { crc16 } from '../connection/slots.ts'

/** Shards of a new database on a Cluster: enough to be spread evenly over a dozen masters. */
export const CLUSTER_SHARDS = 16

/**
 * Names of the server's keys. Each shard has a hash tag of its own, so all of it is in one slot and
 * one script may change it; each conversation is in one shard, with its part of every index.
 */
export class Layout {
  readonly shards: number
  readonly #prefix: string

  constructor(prefix: string, shards: number) {
    this.#prefix = prefix
    this.shards = shards
  }

  /** The shard of a key. */
  shardOf(key: string): number {
    return this.shards === 1 ? 0 : crc16(key) % this.shards
  }

  meta(shard: number): string {
    return this.#name(shard, 'meta')
  }

  part(shard: number, part: ShardPart): string {
    return this.#name(shard, part)
  }

  /** The keys that the scripts which write begin with, in their order. */
  shardKeys(shard: number): readonly string[] {
    return SHARD_PARTS.map((part) => this.#name(shard, part))
  }

  /** What a shard notes besides messages, in the order of `scripts/notes-lua.ts`. */
  noteKeys(shard: number): readonly string[] {
    return NOTE_PARTS.map((part) => this.#name(shard, part))
  }

  /** The hash and the sorted set of a key. */
  hash(shard: number, key: string): string {
    return `${this.#name(shard, 'h')}:${key}`
  }

  set(shard: number, key: string): string {
    return `${this.#name(shard, 'z')}:${key}`
  }

  /** Bytes that stand before the key in the name of its hash. */
  hashPrefixBytes(shard: number): number {
    return Buffer.byteLength(this.hash(shard, ''))
  }

  #name(shard: number, part: string): string {
    return `${this.#prefix}{${shard}}:${part}`
  }
}

const SHARD_PARTS = [
  'meta',
  'listed',
  'latest',
  'heads',
  'time',
  'locks',
  'hints',
  'cursors',
  'intents',
  'groups',
] as const

const NOTE_PARTS = ['meta', 'hints', 'cursors', 'locks', 'intents', 'groups', 'leases'] as const

/** What reads and comparisons go by, besides the two of each conversation. */
export const INDEX_PARTS = ['listed', 'latest', 'heads', 'time'] as const

/** The keys of a shard besides those of its conversations. */
export type ShardPart = (typeof SHARD_PARTS)[number] | 'leases'
