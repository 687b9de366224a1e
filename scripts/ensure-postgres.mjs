// The tests run against a real PostgreSQL server: where its programs are missing they are installed
// if that needs no password, otherwise the one command that installs them is named.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const DEBIAN_ROOT = '/usr/lib/postgresql'
const INSTALL = ['install', '-y', '--no-install-recommends', 'postgresql']

/**
 * Returns whether the programs are there now. Says on standard error what it did.
 *
 * @returns {boolean}
 */
export function ensurePostgres() {
  if (hasPostgres()) return true
  if (process.getuid?.() !== 0 || !isInPath('apt-get')) {
    console.error(
      `PostgreSQL is missing. Install it with: sudo apt-get ${INSTALL.join(' ')}\n` +
        'or, on macOS, with: brew install postgresql. Its tests are skipped until then.',
    )
    return false
  }
  console.error(`PostgreSQL is missing. Installing it: apt-get ${INSTALL.join(' ')}`)
  if (aptGet(INSTALL) !== 0) {
    aptGet(['update'])
    aptGet(INSTALL)
  }
  return hasPostgres()
}

function hasPostgres() {
  const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : []
  return [...pathFolders(), ...versions.map((version) => join(DEBIAN_ROOT, version, 'bin'))].some(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}

function aptGet(args) {
  // Standard input is closed and output goes to standard error: the caller's stay its own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status } = spawnSync('apt-get', args, { env, stdio: ['ignore', 2, 2] })
  return status ?? 1
}

function isInPath(name) {
  return pathFolders().some((folder) => existsSync(join(folder, name)))
}

function pathFolders() {
  return (process.env['PATH'] ?? '').split(delimiter)
}
