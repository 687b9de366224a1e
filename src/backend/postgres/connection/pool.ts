import { exportsOf, installedDriver } from '../../import-driver.ts'
import type { PgClient, PgPool } from './pg-types.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import { isRefusedStartup } from './postgres-error.ts'
import { startupOptions } from './session-settings.ts'

/** What the `pg` package exports, as far as it is used. */
interface PgPackage {
  readonly Client: new (config: object) => object
  readonly Pool: new (config: object) => PgPool
}

/** The connection's own socket: the only way to end it when the server does not answer. */
interface Destroyable {
  readonly connection?: { readonly stream?: { destroy?(): void } }
}

/**
 * Opens a pool. The package is loaded here, so that only those who use it need it. Connections bring their
 * settings in the startup parameter `options`; a pooler that refuses it is connected to without.
 */
export async function openPool(options: ResolvedPostgresOptions): Promise<PgPool> {
  const { connection, pool, connectTimeoutMs } = options
  const { Client, Pool } = await loadPg()
  const config = { ...connection, connectionTimeoutMillis: connectTimeoutMs, keepAlive: true }
  const startup = startupOptions(options)
  let isBare = false

  class OwnClient extends Client {
    constructor() {
      super(isBare ? config : { ...config, options: startup })
    }
  }

  class OwnPool extends Pool {
    override async connect(): Promise<PgClient> {
      const wasBare = isBare
      try {
        return await super.connect()
      } catch (error) {
        if (wasBare || !isRefusedStartup(error)) throw error
        isBare = true
        return await this.#connectBare()
      }
    }

    async #connectBare(): Promise<PgClient> {
      try {
        return await super.connect()
      } catch (error) {
        // It was not because of the options.
        isBare = false
        throw error
      }
    }
  }

  return new OwnPool({
    max: pool.max,
    min: pool.min,
    Client: OwnClient,
    idleTimeoutMillis: pool.idleTimeoutMs,
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
    return exportsOf<PgPackage>(await import('pg'))
  } catch (error) {
    return installedDriver<PgPackage>('PostgreSQL', 'pg', error)
  }
}
