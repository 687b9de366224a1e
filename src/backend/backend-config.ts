/*
 * What a configuration may name: one closed union for each kind of thing that is connected to.
 * `connection-string.ts` makes the same objects from text.
 */

import type { MemcachedOptions } from './memcached/options.ts'
import type { PostgresOptions } from './postgres/connection/options.ts'
import type { RedisOptions } from './redis/connection/options.ts'
import type { S3Options } from './s3/protocol/options.ts'
import type { SqliteOptions } from './sqlite/connection/options.ts'

/** A PostgreSQL server, by `url` or by fields; a field wins over the same part of the url. */
export interface PostgresConfig extends PostgresOptions {
  readonly type: 'postgresql' | 'postgres'
}

/** One SQLite file, by `path` or `url`. */
export interface SqliteConfig extends SqliteOptions {
  readonly type: 'sqlite'
}

/** A Redis or Valkey server, its Sentinels or a Cluster, as a database or a cache. */
export interface RedisConfig extends RedisOptions {
  readonly type: 'redis'
}

/** A bucket of S3 or a server that speaks its protocol, by `url` or by fields. */
export interface S3Config extends S3Options {
  readonly type: 's3'
}

/** This process's memory: nothing survives it. */
export interface InMemoryConfig {
  readonly type: 'in-memory'
}

/** A database by `type` and fields. */
export type DatabaseConfig = PostgresConfig | SqliteConfig | RedisConfig | S3Config | InMemoryConfig

/** A cache in this process's memory. */
export interface InMemoryCacheConfig {
  readonly type: 'in-memory'
  /** Default: 10,000. */
  readonly maxEntries?: number
  /** Default: 64 MiB. */
  readonly maxBytes?: number
}

/** One or more Memcached servers. */
export interface MemcachedConfig extends MemcachedOptions {
  readonly type: 'memcached'
}

/** A cache by `type` and fields. */
export type CacheConfig = InMemoryCacheConfig | RedisConfig | MemcachedConfig

/** A log in this process's memory; not a durable place. */
export interface InMemoryWalConfig {
  readonly type: 'in-memory'
}

/** A log of files in a directory. */
export interface FileWalConfig {
  readonly type: 'file'
  /** The directory. It is made when it is not there. */
  readonly filePath: string
}

/** A log in a Redis stream that several processes share. */
export interface RedisStreamWalConfig {
  readonly type: 'redis-stream'
  /** `redis://…` or `rediss://…`. */
  readonly url: string
}

/** A write-ahead log by `type` and fields. */
export type WalConfig = InMemoryWalConfig | FileWalConfig | RedisStreamWalConfig
