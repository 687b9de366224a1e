import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPacked } from './build-package.ts'
import { ROOT } from './source-files.ts'

/** A framework that is too heavy to be a dependency, with the packed package beside it. */
export interface AdapterWorkspace {
  /** Outside of the repository. */
  readonly folder: string
  /** Runs one of its programs to the end; what it printed, or an error with that. */
  run(program: string, ...args: readonly string[]): string
  remove(): void
}

/** A program that hangs is ended after this time. */
const RUN_MS = 300_000

/**
 * Installs `test/adapters/NAME` from npm by its lock file, and the built package.
 *
 * @param node The program that runs what is in it: some frameworks need a newer one than the tests have.
 */
export async function adapterWorkspace(
  name: string,
  built: string,
  node: string,
): Promise<AdapterWorkspace> {
  const script = new URL('../../scripts/npm-install.mjs', import.meta.url).href
  const { npmCi } = (await import(script)) as { npmCi(folder: string): void }
  const folder = mkdtempSync(join(tmpdir(), `everthread-${name}-`))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const source = join(ROOT, 'test', 'adapters', name)
    const filter = (path: string): boolean => !path.slice(source.length).includes('node_modules')
    cpSync(source, folder, { recursive: true, filter })
    npmCi(folder)
    installPacked(built, folder)
  } catch (error) {
    remove()
    throw error
  }
  const run = (program: string, ...args: readonly string[]): string => {
    const options = { cwd: folder, encoding: 'utf8', timeout: RUN_MS } as const
    const { status, stdout, stderr } = spawnSync(node, [program, ...args], options)
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${stdout}${stderr}`)
    return stdout
  }
  return { folder, run, remove }
}
