import { randomBytes } from 'node:crypto'
import { describe, inject, onTestFinished } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'

/** The shared server, or undefined where PostgreSQL is not installed: then its tests are skipped. */
export const postgresUrl: string | undefined = inject('postgresUrl')

/** `describe` for tests on the shared server; the start of the run says so when they are skipped. */
export const describePostgres: typeof describe.skip =
  postgresUrl === undefined ? describe.skip : describe

/** Options of a schema of its own on the shared server. */
export function freshSchema(): PostgresOptions {
  return { url: postgresUrl!, schema: `test_${randomBytes(6).toString('hex')}` }
}

/** A connected backend in a schema of its own; it is disconnected when the test ends. */
export async function openPostgres(
  options: Partial<PostgresOptions> = {},
): Promise<PostgresBackend> {
  const backend = new PostgresBackend({ ...freshSchema(), ...options })
  onTestFinished(() => backend.disconnect())
  await backend.connect()
  return backend
}
