// The tests run against a real PostgreSQL server: where its programs are missing they are installed
// if that needs no password, otherwise the one command that installs them is named.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { aptInstall, canInstall, installFlags, pathFolders } from './apt-get.mjs'

const DEBIAN_ROOT = '/usr/lib/postgresql'
const PACKAGES = ['postgresql']

/**
 * Returns whether the programs are there now. Says on standard error what it did.
 *
 * @returns {boolean}
 */
export function ensurePostgres() {
  if (hasPostgres()) return true
  if (!canInstall()) {
    console.error(
      `PostgreSQL is missing. Install it with: sudo apt-get ${installFlags(PACKAGES).join(' ')}\n` +
        'or, on macOS, with: brew install postgresql. Its tests are skipped until then.',
    )
    return false
  }
  aptInstall(PACKAGES)
  return hasPostgres()
}

function hasPostgres() {
  const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : []
  return [...pathFolders(), ...versions.map((version) => join(DEBIAN_ROOT, version, 'bin'))].some(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}
