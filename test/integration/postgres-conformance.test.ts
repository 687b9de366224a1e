import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import { replicaBackendConformance } from '../../src/testing/replica-backend-conformance.ts'
import { damagePostgres } from '../support/damage.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'

const options = new WeakMap<object, PostgresOptions>()

describePostgres('PostgreSQL', () => {
  replicaBackendConformance({
    name: 'postgresql',
    open: () => open({ ...freshSchema(), search: true }),
    reopen: (backend) => open(options.get(backend)!),
    damage: (backend, value) => damagePostgres(options.get(backend)!, value),
    capabilities: { persistent: true, search: true, propertyRuns: 10 },
  })
})

async function open(chosen: PostgresOptions): Promise<PostgresBackend> {
  const backend = new PostgresBackend(chosen)
  options.set(backend, chosen)
  await backend.connect()
  return backend
}
