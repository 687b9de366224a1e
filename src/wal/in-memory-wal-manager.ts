import type { Env } from '../core/env.ts'
import { nodeEnv } from '../core/node-env.ts'
import { byDefault, integer, oneOf } from '../core/option-kinds.ts'
import { pick, resolve, type OptionTable } from '../core/options.ts'
import { MemoryWal } from './memory/memory-wal.ts'
import { MANAGER_OPTIONS, type WALManagerOptions } from './manager-options.ts'
import { WALManager } from './wal-manager.ts'

export interface InMemoryWALConfig extends WALManagerOptions {
  /** Entries that may be kept; beyond, writes are `OVERLOADED`. Default: 100,000. */
  readonly maxEntries?: number
}

export const MEMORY_WAL_OPTIONS: OptionTable<
  InMemoryWALConfig & { readonly type?: 'in-memory' },
  keyof InMemoryWALConfig
> = {
  type: oneOf('in-memory'),
  ...MANAGER_OPTIONS,
  maxEntries: byDefault(100_000, integer(1, 100_000_000)),
}

/** A log in memory: it survives a database, not the process. It never counts as durable. */
export class InMemoryWALManager extends WALManager {
  constructor(config: InMemoryWALConfig = {}, env: Env = nodeEnv()) {
    const resolved = resolve('', config, MEMORY_WAL_OPTIONS)
    const { maxEntries } = resolved
    super(env, new MemoryWal(env, { maxEntries }), pick(MANAGER_OPTIONS, resolved))
  }
}
