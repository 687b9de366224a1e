import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository, with a separator at its end. */
export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url))

/** A file of the repository. */
export interface SourceFile {
  /** Path below the root, with `/`. */
  readonly path: string
  readonly text: string
}

/** The files below these folders and these files that have one of the endings, sorted by path. */
export function sourceFiles(from: readonly string[], endings: readonly string[]): SourceFile[] {
  return from
    .flatMap((start) => list(start))
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

function list(start: string): string[] {
  let entries
  try {
    entries = readdirSync(join(ROOT, start), { recursive: true, withFileTypes: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR') return [start]
    if (code === 'ENOENT') return []
    throw error
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).split(sep).join('/'))
    .filter((path) => !path.includes('node_modules/'))
}
