import { describe } from 'vitest'
import { INSTALL_HINT, postgresBinaries } from '../../support/postgres-binaries.ts'

const missing = postgresBinaries() === undefined

/** `describe` for tests that start servers of their own; it says so when they are skipped. */
export const describeServers: typeof describe.skip =
  missing && process.env['REQUIRE_SERVERS'] !== '1' ? describe.skip : describe

if (describeServers === describe.skip) console.warn(`SKIPPED: ${INSTALL_HINT}`)
