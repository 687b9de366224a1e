import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const folders = []
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/**
 * Compiles `src` and `simulator` below this root into a folder of this process, tests left out, and returns it.
 * The folder goes with the process; `dist`, which a build makes, is left alone. `lenient`: types that
 * do not fit are no error.
 */
export function compileSources(root, { lenient = false } = {}) {
  const name = `compiled-${process.pid}-${folders.length}`
  const folder = join(root, 'node_modules/.cache/everthread', name)
  mkdirSync(folder, { recursive: true })
  folders.push(folder)
  // Below node_modules nobody else says what kind of modules these are.
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const options = ['-p', 'tsconfig.simulator.json', '--outDir', folder, '--sourceMap', 'false']
  try {
    const stdio = lenient ? 'ignore' : 'inherit'
    execFileSync(process.execPath, [compiler, ...options], { cwd: root, stdio })
  } catch (error) {
    // What it could make out is there all the same.
    if (!lenient) throw error
  }
  return folder
}
