// The tests run against real Redis and Memcached servers, which they start themselves, beside the
// command of SQLite, and in the shells that the command line completes for: where a program is missing it is installed if that needs no password, otherwise
// the command that installs it is named.
import { aptInstall, canInstall, installFlags, isInPath } from './apt-get.mjs'

/** The packages by the program that each brings. */
const PACKAGES = new Map([
  ['redis-server', 'redis-server'],
  ['memcached', 'memcached'],
  ['sqlite3', 'sqlite3'],
  ['zsh', 'zsh'],
  ['fish', 'fish'],
])

/**
 * Returns whether the programs are there now. Says on standard error what it did.
 *
 * @returns {boolean}
 */
export function ensureRedis() {
  const missing = missingPackages()
  if (missing.length === 0) return true
  if (!canInstall()) {
    console.error(
      `${missing.join(' and ')} missing. Install with: sudo apt-get ${installFlags(missing).join(' ')}\n` +
        'or, on macOS, with: brew install redis memcached sqlite zsh fish. Their tests are skipped until then.',
    )
    return false
  }
  aptInstall(missing)
  return missingPackages().length === 0
}

function missingPackages() {
  return [...PACKAGES].flatMap(([program, name]) => (isInPath(program) ? [] : [name]))
}
