import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './source-files.ts'

export const TSC: string = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')

/** A package of its own, with nothing but its `package.json`. */
export function emptyPackage(name: string): string {
  // Below node_modules, where its dependencies are found and nobody lints it.
  const cache = join(ROOT, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, `everthread-${name}-`))
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  return folder
}

/** One that is built, with the examples: in it `everthread` is found through its exports. */
export function makePackageFolder(): string {
  const folder = emptyPackage('docs')
  cpSync(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true })
  tsc('-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist'), '--noCheck')
  return folder
}

/** One as it is published: what `npm run build` makes. */
export function publishedPackage(): string {
  const folder = emptyPackage('published')
  const dist = join(folder, 'dist')
  const said = tsc('-p', join(ROOT, 'tsconfig.build.json'), '--outDir', dist, '--noCheck')
  if (said !== '') throw new Error(said)
  for (const script of ['bundle.mjs', 'prune-declarations.mjs']) {
    const args = [join(ROOT, 'scripts', script), dist]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${script} failed: ${stderr}`)
  }
  return folder
}

/** What the compiler says; nothing if all is well. */
export function tsc(...args: readonly string[]): string {
  const { stdout } = spawnSync(process.execPath, [TSC, ...args], { cwd: ROOT, encoding: 'utf8' })
  return stdout
}
