import { randomBytes } from 'node:crypto'
import pg from 'pg'
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

/** The URL of an empty database of its own on the shared server. */
export async function freshDatabase(): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`
  const client = new pg.Client(postgresUrl)
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  return Object.assign(new URL(postgresUrl!), { pathname: `/${name}` }).href
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
