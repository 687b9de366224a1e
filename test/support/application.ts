import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPacked } from './build-package.ts'
import { ROOT } from './source-files.ts'

/** Lines of Node that its programs run under. */
export const NODES: readonly string[] = ['20', '24']

export interface Application {
  /** With Next.js, a TypeScript of its own and the packed package installed. Outside of the repository. */
  readonly folder: string
  /** The path of each of these lines of Node. */
  readonly nodes: Readonly<Record<string, string>>
}

interface NpmInstall {
  npmCi(folder: string): void
  installNode(version: string, folder: string): { readonly node: string }
}

/** Installs `test/bundles/app` from npm, and the lines of Node that this is not. It throws where it cannot. */
export async function makeApplication(built: string): Promise<Application & { remove(): void }> {
  const script = new URL('../../scripts/npm-install.mjs', import.meta.url).href
  const { installNode, npmCi } = (await import(script)) as NpmInstall
  const root = mkdtempSync(join(tmpdir(), 'everthread-application-'))
  const folder = join(root, 'app')
  const remove = (): void => rmSync(root, { recursive: true, force: true })
  try {
    const isSource = (path: string): boolean => !/node_modules|\.next/.test(path.slice(ROOT.length))
    cpSync(join(ROOT, 'test', 'bundles', 'app'), folder, { recursive: true, filter: isSource })
    npmCi(folder)
    installPacked(built, folder)
    const nodeOf = (line: string): string => {
      if (process.versions.node.startsWith(`${line}.`)) return process.execPath
      return installNode(line, join(root, `node-${line}`)).node
    }
    return { folder, nodes: Object.fromEntries(NODES.map((line) => [line, nodeOf(line)])), remove }
  } catch (error) {
    remove()
    throw error
  }
}
