// Installs packages from npm into a folder of their own: other versions of Node, what is too heavy to be a dependency.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const QUIET = ['--no-audit', '--no-fund', '--loglevel=error']

/**
 * @param {string} folder Made if it is not there.
 * @param {readonly string[]} packages
 */
export function npmInstall(folder, packages) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  run('npm', ['install', ...QUIET, ...packages], folder)
}

/** What the `package-lock.json` of the folder names. */
export function npmCi(folder) {
  run('npm', ['ci', ...QUIET], folder)
}

/**
 * A Node of another version, as the npm package `node` brings it.
 *
 * @param {string} version Such as `24` or `24.4.1`.
 * @param {string} folder Its own.
 * @returns {{ node: string, number: string }} Its path, and its full version.
 */
export function installNode(version, folder) {
  npmInstall(folder, [`node@${version}`])
  const node = join(folder, 'node_modules/.bin/node')
  if (!existsSync(node)) throw new Error(`Node ${version} could not be installed from npm`)
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  const number = String(stdout).trim().slice(1)
  // Where install scripts are blocked the package is there, but not the program it brings.
  if (!`${number}.`.startsWith(`${version}.`)) throw new Error(`npm brought ${number} instead`)
  return { node, number }
}

/** Runs a command with its output on standard error. Throws when it fails. */
export function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${status}`)
}
