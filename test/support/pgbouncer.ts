import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { freePort } from './free-port.ts'
import { hasPostgres } from './postgres-binaries.ts'
import { isAvailable, ServerProcess } from './server-process.ts'

/** What to say when the pooler is not installed: one command that helps. */
const HINT = 'PgBouncer is not installed: apt-get install -y pgbouncer'

/** Two starts may pick the same free port. */
const START_TRIES_MAX = 3

export interface PgBouncerOptions {
  /** The server behind it. */
  readonly serverPort: number
  /** Whom a server connection is given to: a client for as long as it stays, or a transaction. */
  readonly mode: 'session' | 'transaction'
  /** Server connections at most, for each user and database. */
  readonly poolSize: number
  /** More settings of pgbouncer.ini. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A pooler of this test's own, before a PostgreSQL server. */
export interface PgBouncer {
  readonly port: number
  /** Superuser, no password, database `postgres`. */
  readonly url: string
  stop(): Promise<void>
}

const hasPgBouncer: boolean = hasPostgres() && isAvailable('pgbouncer', HINT)

/** `describe` for tests on PgBouncer: they are skipped aloud, or fail, where it is not installed. */
export const describePgBouncer: typeof describe.skip = hasPgBouncer ? describe : describe.skip

/** Starts a private pooler. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const dir = mkdtempSync(join(tmpdir(), 'everthread-pgbouncer-'))
    writeConfig(dir, port, options)
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    const args = [...user, join(dir, 'pgbouncer.ini')]
    const child = new ServerProcess({ program: 'pgbouncer', args: () => args, dir, port })
    const stop = async (): Promise<void> => {
      await child.kill()
      rmSync(dir, { recursive: true, force: true })
    }
    try {
      await child.start()
      return { port, url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop }
    } catch (error) {
      await stop()
      if (attempt === START_TRIES_MAX) throw error
    }
  }
}

function writeConfig(
  dir: string,
  port: number,
  { serverPort, mode, poolSize, settings = {} }: PgBouncerOptions,
): void {
  const users = join(dir, 'users.txt')
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: users,
    pool_mode: mode,
    default_pool_size: poolSize,
    max_client_conn: 500,
    ...settings,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`)
  const database = `* = host=127.0.0.1 port=${serverPort}`
  // It runs as another user than root.
  chmodSync(dir, 0o755)
  writeFileSync(users, '"postgres" ""\n')
  writeFileSync(
    join(dir, 'pgbouncer.ini'),
    ['[databases]', database, '[pgbouncer]', ...lines, ''].join('\n'),
  )
}
