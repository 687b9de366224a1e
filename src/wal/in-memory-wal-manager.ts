import type { Env } from '../core/env.ts'
import { nodeEnv } from '../core/node-env.ts'
import { MemoryWal } from './memory/memory-wal.ts'
import type { WALManagerOptions } from './manager-options.ts'
import { WALManager } from './wal-manager.ts'

export interface InMemoryWALConfig extends WALManagerOptions {
  /** Entries that may be kept; beyond, writes are `OVERLOADED`. Default: 100,000. */
  readonly maxEntries?: number
}

/** A log in memory: it survives a database, not the process. It never counts as durable. */
export class InMemoryWALManager extends WALManager {
  constructor(config: InMemoryWALConfig = {}, env: Env = nodeEnv()) {
    const { maxEntries = 100_000, ...options } = config
    super(env, new MemoryWal(env, { maxEntries }), options)
  }
}
