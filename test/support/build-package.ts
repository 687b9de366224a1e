import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface BuiltPackage {
  readonly folder: string
  remove(): void
}

/** Compiles and bundles the package into a folder of its own, as it is published. */
export function buildPackage(): BuiltPackage {
  // Below node_modules, where its dependencies are found and nobody lints it.
  const cache = join(ROOT, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'everthread-cli-'))
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const args = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]
  // Types are the business of `npm run check`; here only the JavaScript is wanted, soon.
  run([...args, '--noCheck', '--declaration', 'false', '--isolatedDeclarations', 'false'])
  // What is found by its path must be found there too.
  run([join(ROOT, 'scripts', 'bundle.mjs'), join(folder, 'dist')])
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

function run(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args[0]} failed: ${stdout}${stderr}`)
}
