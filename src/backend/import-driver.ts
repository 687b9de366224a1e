/*
 * Packages that only those who use an engine install. Each is loaded by an `import()` of the written-out name
 * within `try`: so bundlers know what to take along, and do without what is not installed.
 */
import { messageOf, StorageError } from '../core/errors.ts'
import { nodeBuiltin } from '../core/node-builtin.ts'

/** Why a package that is there cannot be loaded, on one line. */
export function whyNotLoaded(error: unknown): string {
  const why = messageOf(error).replace(/\s+/g, ' ').trim()
  return `${why}. If this program was bundled, see docs/deploying.md`
}

/** What is not installed, as Node and the bundlers tell it. */
const NOT_FOUND = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])

/** Webpack warns of every `createRequire` that it sees; a bundle may begin with one of its own. */
const moduleTools = nodeBuiltin('node:module')

/** What the package exports, imported or required. */
export function exportsOf<Package extends object>(module: unknown): Package {
  return (module as { readonly default?: Package }).default ?? (module as Package)
}

/**
 * The installed package of an engine, such as "PostgreSQL", after its `import()` failed: a bundle may hold it
 * in a form that does not run.
 *
 * @throws StorageError `UNSUPPORTED` that says whether it is missing or cannot be loaded.
 */
export function installedDriver<Package extends object>(
  engine: string,
  name: string,
  error: unknown,
): Package {
  const file = resolveInstalled(name)
  if (file !== undefined) return exportsOf<Package>(requireFile(file))
  const text = isNotFound(error, name)
    ? `${engine} needs the package ${name}: npm install ${name}`
    : `${engine} cannot load the package ${name}: ${whyNotLoaded(error)}`
  throw new StorageError('UNSUPPORTED', text, { cause: error })
}

/** True when the error says that the package is not there, and not that it failed. */
export function isNotFound(error: unknown, name: string): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code !== undefined && NOT_FOUND.has(code) && messageOf(error).includes(`'${name}`)
}

/** The file that stands for a package's name, seen from this file or from the program; undefined without one. */
export function resolveInstalled(name: string): string | undefined {
  // In a bundle in CommonJS this file has no address; in one of webpack that of the build.
  const own: string | undefined = import.meta.url
  for (const start of [own, process.argv[1]]) {
    try {
      if (start !== undefined) return moduleTools.createRequire(start).resolve(name)
    } catch {
      // Perhaps from the next one.
    }
  }
  return undefined
}

/** What the file exports, which no bundler sees. */
export function requireFile(file: string): unknown {
  return moduleTools.createRequire(file)(file)
}
