import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { emptyPackage, TSC } from './package-folder.ts'
import { ROOT } from './source-files.ts'

export interface BuiltPackage {
  readonly folder: string
  remove(): void
}

/** Compiles and bundles the package into a folder of its own, as it is published. */
export function buildPackage(): BuiltPackage {
  const folder = emptyPackage('cli')
  const args = [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]
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
