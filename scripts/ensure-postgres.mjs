// The tests run against a real PostgreSQL server, and through PgBouncer: where their programs are missing
// they are installed if that needs no password, otherwise the one command that installs them is named.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall, canInstall, installFlags, isInPath, pathFolders } from './apt-get.mjs'

const DEBIAN_ROOT = '/usr/lib/postgresql'

/**
 * Returns whether the programs are there now. Says on standard error what it did.
 *
 * @returns {boolean}
 */
export function ensurePostgres() {
  const missing = missingPackages()
  if (missing.length === 0) return true
  if (!canInstall()) {
    console.error(
      `${missing.join(' and ')} missing. Install with: sudo apt-get ${installFlags(missing).join(' ')}\n` +
        'or, on macOS, with: brew install postgresql pgbouncer. Their tests are skipped until then.',
    )
    return false
  }
  aptInstall(missing)
  return missingPackages().length === 0
}

function missingPackages() {
  return [...(hasPostgres() ? [] : ['postgresql']), ...(isInPath('pgbouncer') ? [] : ['pgbouncer'])]
}

function hasPostgres() {
  const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : []
  return [...pathFolders(), ...versions.map((version) => join(DEBIAN_ROOT, version, 'bin'))].some(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}
