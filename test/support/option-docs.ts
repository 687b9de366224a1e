/* The tables of options in docs/configuration.md, and the tables of the code that they are of. */
import { MEMCACHED_OPTIONS } from '../../src/backend/memcached/options.ts'
import { MEMORY_CACHE_OPTIONS } from '../../src/backend/memory/memory-cache.ts'
import { POSTGRES_OPTIONS } from '../../src/backend/postgres/connection/options.ts'
import { POOL_OPTIONS } from '../../src/backend/postgres/connection/pool-options.ts'
import { REDIS_OPTIONS } from '../../src/backend/redis/connection/options.ts'
import { S3_OPTIONS } from '../../src/backend/s3/protocol/options.ts'
import { SQLITE_OPTIONS } from '../../src/backend/sqlite/connection/options.ts'
import { CHAT_HISTORY_OPTIONS } from '../../src/chat/open-chat-history.ts'
import { RETENTION_OPTIONS } from '../../src/chat/retention/retention-options.ts'
import type { Option, Table } from '../../src/core/options.ts'
import { CIRCUIT_OPTIONS } from '../../src/health/circuit-breaker.ts'
import { STORAGE_OPTIONS } from '../../src/manager/storage-manager.ts'
import { STORE_OPTIONS } from '../../src/store/config.ts'
import { CACHE_ENHANCED_OPTIONS } from '../../src/strategy/read/cache-enhanced.ts'
import { HEDGE_OPTIONS, WRITE_OPTIONS } from '../../src/strategy/write/write-config.ts'
import { RECONCILE_OPTIONS } from '../../src/sync/reconcile-options.ts'
import { FILE_WAL_OPTIONS } from '../../src/wal/file-wal-manager.ts'
import { MEMORY_WAL_OPTIONS } from '../../src/wal/in-memory-wal-manager.ts'
import { STREAM_OPTIONS } from '../../src/wal/redis-stream/options.ts'

/** Heading of the section, header of its first column, and what has the options. */
export const DOCUMENTED: readonly (readonly [section: string, header: string, table: Table])[] = [
  ['## `openChatHistory`\n', 'option', CHAT_HISTORY_OPTIONS],
  ['## Retention\n', 'option', RETENTION_OPTIONS],
  ['## `StrategicStorageManager`\n', 'option', STORE_OPTIONS],
  ['## Write strategies\n', 'option', WRITE_OPTIONS],
  ['## Write strategies\n', '`hedge`', HEDGE_OPTIONS],
  ['## Read strategies\n', 'option', CACHE_ENHANCED_OPTIONS],
  ['## Health managers\n', 'option', CIRCUIT_OPTIONS],
  ['## Logs\n', 'option', { ...FILE_WAL_OPTIONS, ...MEMORY_WAL_OPTIONS }],
  ['## The shared log\n', 'option', STREAM_OPTIONS],
  ['## SQLite\n', 'option', SQLITE_OPTIONS],
  ['## PostgreSQL\n', 'option', POSTGRES_OPTIONS],
  ['## PostgreSQL\n', '`pool`', POOL_OPTIONS],
  ['## Redis\n', 'option', REDIS_OPTIONS],
  ['## S3\n', 'option', S3_OPTIONS],
  ['## Memcached\n', 'option', MEMCACHED_OPTIONS],
  ['## Memory\n', 'option', MEMORY_CACHE_OPTIONS],
  ['## `StorageManager`\n', 'option', STORAGE_OPTIONS],
  ['## Reconciling\n', '`reconcile`', RECONCILE_OPTIONS],
]

const SIZES: readonly (readonly [number, string])[] = [
  [1024 ** 4, 'TiB'],
  [1024 ** 3, 'GiB'],
  [1024 ** 2, 'MiB'],
  [1024, 'KiB'],
]

/** The bounds of a number as the documents have them; empty for what is none. */
export function limitsOf({ takes }: Option<unknown>): string {
  const [, min, max, unit = ''] = /^an integer from (\d+) to (\d+)(?: (\w+))?$/.exec(takes) ?? []
  if (min === undefined) return ''
  const isSize = unit === 'bytes'
  const [low, high] = [min, max].map((bound) => (isSize ? sizeOf(Number(bound)) : bound))
  const shown = isSize || unit === 'ms' ? '' : unit && ` ${unit}`
  return Number(max) >= Number.MAX_SAFE_INTEGER
    ? `from ${low}${shown}`
    : `${low} to ${high}${shown}`
}

/** True when a cell of the documents begins with this default. */
export function showsDefault(cell: string, value: unknown): boolean {
  if (typeof value === 'number') {
    const texts = [String(value), sizeOf(value), `${value / 3_600_000} h`]
    return texts.some((text) => cell === text || new RegExp(`^${text}[;,]`).test(cell))
  }
  if (typeof value === 'object') return cell !== ''
  return cell.replaceAll('`', '').includes(String(value as string | boolean))
}

function sizeOf(value: number): string {
  const [size, name] = SIZES.find(([each]) => value % each === 0 && value > 0) ?? []
  return size === undefined ? String(value) : `${value / size} ${name}`
}
