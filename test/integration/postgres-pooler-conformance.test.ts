import { afterAll, beforeAll } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import { replicaBackendConformance } from '../../src/testing/replica-backend-conformance.ts'
import { damagePostgres } from '../support/damage.ts'
import { describePgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts'
import { freshSchema, postgresUrl } from '../support/postgres-backend.ts'

/** Server connections of the pooler: in session mode each of ours has one, those of forgotten backends too. */
const POOL_SIZE = 40

// The startup parameter that a direct connection brings its settings in is refused by one, ignored by the other.
describePgBouncer.each([
  ['transaction', {}],
  ['session', { ignore_startup_parameters: 'extra_float_digits,options' }],
] as const)('PgBouncer in %s mode', (mode, settings) => {
  const known = new WeakMap<object, PostgresOptions>()
  let bouncer: PgBouncer

  beforeAll(async () => {
    const serverPort = Number(new URL(postgresUrl!).port)
    bouncer = await startPgBouncer({ serverPort, mode, poolSize: POOL_SIZE, settings })
  })
  afterAll(() => bouncer?.stop())

  const open = async (options: PostgresOptions): Promise<PostgresBackend> => {
    const backend = new PostgresBackend({ ...options, url: bouncer.url, maxConnections: 3 })
    known.set(backend, options)
    await backend.connect()
    return backend
  }
  replicaBackendConformance({
    name: 'postgresql',
    open: () => open(freshSchema()),
    reopen: (backend) => open(known.get(backend)!),
    damage: (backend, value) => damagePostgres(known.get(backend)!, value),
    capabilities: { persistent: true, propertyRuns: 3 },
  })
})
