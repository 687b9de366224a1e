import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * The flags that install packages with apt-get.
 *
 * @param {readonly string[]} packages
 */
export function installFlags(packages) {
  return ['install', '-y', '--no-install-recommends', ...packages]
}

/** True where packages can be installed without a password. */
export function canInstall() {
  return process.getuid?.() === 0 && isInPath('apt-get')
}

/**
 * Installs packages; fetches the lists first where that is needed.
 *
 * @param {readonly string[]} packages
 */
export function aptInstall(packages) {
  const flags = installFlags(packages)
  console.error(`Installing: apt-get ${flags.join(' ')}`)
  if (aptGet(flags) === 0) return
  aptGet(['update'])
  aptGet(flags)
}

/** @param {string} name */
export function isInPath(name) {
  return pathFolders().some((folder) => existsSync(join(folder, name)))
}

export function pathFolders() {
  return (process.env['PATH'] ?? '').split(delimiter)
}

/** @param {readonly string[]} args */
function aptGet(args) {
  // Standard input is closed and output goes to standard error: the caller's stay its own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status } = spawnSync('apt-get', args, { env, stdio: ['ignore', 2, 2] })
  return status ?? 1
}
