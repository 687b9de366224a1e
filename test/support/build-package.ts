import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { emptyPackage, TSC } from './package-folder.ts'
import { ROOT } from './source-files.ts'

export interface BuiltPackage {
  readonly folder: string
  remove(): void
}

/** Compiles and bundles the package into a folder of its own, as it is published; with its types if they are asked for. */
export function buildPackage({ types = false }: { readonly types?: boolean } = {}): BuiltPackage {
  const folder = emptyPackage('cli')
  const args = [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]
  // Errors are the business of `npm run check`; here only what it writes is wanted, soon.
  const without = types ? [] : ['--declaration', 'false', '--isolatedDeclarations', 'false']
  run([...args, '--noCheck', ...without])
  // What is found by its path must be found there too.
  run([join(ROOT, 'scripts', 'bundle.mjs'), join(folder, 'dist')])
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Installs a built package in an application, from what `npm pack` makes of it. */
export function installPacked(built: string, application: string): void {
  const { version } = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8')) as {
    readonly version: string
  }
  const target = join(application, 'node_modules', 'everthread')
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  call('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', application], built)
  const packed = join(application, `everthread-${version}.tgz`)
  call('tar', ['-xzf', packed, '--strip-components=1', '-C', target], application)
}

function run(args: readonly string[]): void {
  call(process.execPath, args, ROOT)
}

function call(command: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args[0]} failed: ${stdout}${stderr}`)
}
