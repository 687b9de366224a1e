import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where Debian and its relatives put the server's programs, one folder a version. */
const DEBIAN_ROOT = '/usr/lib/postgresql'

/** What to say when the server is not installed: one command that helps. */
export const INSTALL_HINT = 'PostgreSQL is not installed: apt-get install -y postgresql'

/** The folder that holds `initdb` and `postgres`, or undefined when there is none. */
export function postgresBinaries(): string | undefined {
  const inPath = (process.env['PATH'] ?? '').split(delimiter)
  return [...inPath, ...debianFolders()].find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}

/** True where private servers can be started; a missing one is said aloud, or is an error. */
export function hasPostgres(): boolean {
  if (postgresBinaries() !== undefined) return true
  if (process.env['REQUIRE_SERVERS'] === '1') throw new Error(INSTALL_HINT)
  console.warn(`SKIPPED: tests that start a PostgreSQL. ${INSTALL_HINT}`)
  return false
}

/** Newest version first. */
function debianFolders(): string[] {
  if (!existsSync(DEBIAN_ROOT)) return []
  return readdirSync(DEBIAN_ROOT)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN_ROOT, version, 'bin'))
}
