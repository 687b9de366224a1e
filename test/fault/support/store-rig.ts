import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { PostgresBackend } from '../../../src/backend/postgres/backend.ts'
import type { ReplicaBackend } from '../../../src/backend/replica-backend.ts'
import { SqliteBackend } from '../../../src/backend/sqlite/backend.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../../src/index.ts'
import { FaultProxy } from '../../../src/testing/fault-proxy.ts'
import type { PostgresServer } from '../../support/postgres-server.ts'

/** A store on a PostgreSQL primary behind a proxy, a SQLite backup and a file log. */
export interface StoreRig {
  readonly proxy: FaultProxy
  /** Of its own, removed when the test ends. */
  readonly directory: string
  /** What the store is opened with. */
  readonly options: ChatHistoryOptions
  /** Each call is another store on the same places; it is closed when the test ends. */
  open(options?: ChatHistoryOptions): Promise<ChatHistory>
  /** The two databases without the store between, for reading what each holds. */
  places(): Promise<Readonly<Record<'primary' | 'backup', ReplicaBackend>>>
}

/** The places of one test on a server that the tests of a file share. */
export async function storeRig(server: PostgresServer): Promise<StoreRig> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-store-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const proxy = await FaultProxy.open({ port: server.port })
  onTestFinished(() => proxy.close())
  const schema = `test_${randomBytes(6).toString('hex')}`
  const path = join(directory, 'backup.db')
  const options: ChatHistoryOptions = {
    primary: { type: 'postgresql', url: urlOn(server.url, proxy.port), schema },
    backup: { type: 'sqlite', path },
    wal: `file:${join(directory, 'wal')}`,
    // Outages are short here; with the defaults each test would wait for its circuit to close.
    health: {
      type: 'circuit-breaker',
      config: { circuitOpenDuration: 200, healthCheckInterval: 100 },
    },
  }
  return {
    proxy,
    directory,
    options,
    async open(more = {}) {
      const history = await openChatHistory({ ...options, ...more })
      onTestFinished(() => history.close())
      return history
    },
    async places() {
      const primary = new PostgresBackend({ url: server.url, schema })
      const backup = new SqliteBackend({ path })
      for (const backend of [primary, backup]) {
        onTestFinished(() => backend.disconnect())
        await backend.connect()
      }
      return { primary, backup }
    },
  }
}

function urlOn(url: string, port: number): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}
