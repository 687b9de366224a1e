import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Compiles the sources below this root into a folder of this process, tests left out, and returns it.
 * The folder goes with the process; `dist`, which a build makes, is left alone.
 */
export function compileSources(root) {
  const folder = join(root, 'node_modules/.cache/everthread', `compiled-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  // Below node_modules nobody else says what kind of modules these are.
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const options = ['-p', 'tsconfig.build.json', '--outDir', folder, '--sourceMap', 'false']
  execFileSync(process.execPath, [compiler, ...options], { cwd: root, stdio: 'inherit' })
  return folder
}
