import { StorageError } from '../../core/errors.ts'
import type { PgClient, PgPool } from './pg-types.ts'
import type { ResolvedPostgresOptions } from './options.ts'

/** What the `pg` package exports, as far as it is used. */
interface PgPackage {
  readonly Pool: new (config: object) => PgPool
}

/** The connection's own socket: the only way to end it when the server does not answer. */
interface Destroyable {
  readonly connection?: { readonly stream?: { destroy?(): void } }
}

/** Opens a pool. The package is loaded here, so that only those who use it need it. */
export async function openPool(options: ResolvedPostgresOptions): Promise<PgPool> {
  const { connection, poolSize, connectTimeoutMs } = options
  const { Pool } = await loadPg()
  return new Pool({
    ...connection,
    max: poolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // An idle pool must not keep the process alive.
    allowExitOnIdle: true,
  })
}

/** Ends the socket at once, whatever the server does. */
export function destroySocket(client: PgClient): void {
  ;(client as Destroyable).connection?.stream?.destroy?.()
}

async function loadPg(): Promise<PgPackage> {
  try {
    const loaded = (await import('pg')) as unknown as { default?: PgPackage } & PgPackage
    return loaded.default ?? loaded
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new StorageError('UNSUPPORTED', 'PostgreSQL needs the package pg: npm install pg', {
      cause: error,
    })
  }
}
