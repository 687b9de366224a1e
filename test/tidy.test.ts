// Goal: rules of the code base that neither the compiler nor the linter knows; CONTRIBUTING.md names
// them. Method: read the sources as text. Each test lists what breaks its rule.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, sourceFiles, type SourceFile } from './support/source-files.ts'

/** A module imports only from its own folder and from folders earlier in this list. */
const LAYERS = [
  'core',
  'backend',
  'manager',
  'wal',
  'health',
  'strategy',
  'sync',
  'store',
  'chat',
  'adapters',
  'server',
  'cli',
]

const LINES_MAX = 500

/** Names that the package exports without a doc comment. It may only go down. */
const UNDOCUMENTED_MAX = 40

/**
 * Modules that open files. None of them may come upon a file of SQLite while this process has it open:
 * closing it would drop SQLite's locks (`src/backend/sqlite/connection/database-file.ts`).
 */
const OPENERS: Readonly<Record<string, string>> = {
  'src/backend/s3/protocol/metadata-credentials.ts': 'a token, by a path of the environment',
  'src/backend/s3/protocol/shared-files.ts': 'the credentials in the home folder',
  'src/backend/sqlite/connection/database-file.ts': 'a name that nobody else has yet, and folders',
  'src/cli/cli-context.ts': 'a file of keys, before a store is open',
  'src/cli/commands/import-command.ts': 'the input, which is refused if it is one',
  'src/cli/commands/init-command.ts': 'a file with a secret, before a store is open',
  'src/cli/commands/serve-command.ts': 'keys and certificates, before a store is open',
  'src/cli/init/write-new-file.ts': 'a file that is not there yet',
  'src/cli/package-version.ts': 'package.json',
  'src/cli/settings/load-config.ts': 'a configuration file, before a store is open',
  'src/cli/transfer/export-sink.ts': 'the output, which is refused if it is one',
  'src/core/node-disk.ts': 'files that the log has named',
  'src/core/node-env.ts': 'what /proc tells of the machine',
  'src/core/node-socket.ts': 'the folder of a log, to reach the socket in it',
}

const SOURCES = sourceFiles(['src'], ['.ts'])
const CODE = [
  ...SOURCES,
  ...sourceFiles(['simulator', 'test', 'scripts', 'bench', 'examples'], ['.ts', '.mjs']),
]
const NOTES = sourceFiles(
  ['docs', 'src', 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples'],
  ['.md'],
)
const ANYTHING = [
  ...CODE,
  ...NOTES,
  ...sourceFiles(['.ci', 'docs', 'package.json', 'dashboard/src'], ['']),
].filter(({ path }) => path !== 'test/tidy.test.ts')

interface Import {
  readonly file: SourceFile
  /** The imported file below the root. */
  readonly target: string
}

function importsOf(file: SourceFile): Import[] {
  const pattern = /(?:\bfrom\s+|\bimport\s*\(?\s*)'(\.{1,2}\/[^']+)'/g
  return [...file.text.matchAll(pattern)].map(([, specifier]) => ({
    file,
    target: normalize(join(dirname(file.path), specifier!)),
  }))
}

/** What a module imports of `node:fs`; all of it counts as opening. */
function fileCallsIn(text: string): string[] {
  const pattern = /(?:import|export)\s+([^;'"]*?)\s*from\s+['"](?:node:)?fs(?:\/promises)?['"]/g
  const named = [...text.matchAll(pattern)].flatMap(([, clause]) => {
    const list = /^\{([^}]*)\}$/.exec(clause!)?.[1]
    return list === undefined ? ['open'] : list.split(',').map((name) => name.trim().split(' ')[0]!)
  })
  const loaded = /(?:import|require|getBuiltinModule)\(\s*['"](?:node:)?fs/.test(text)
  return loaded ? [...named, 'open'] : named
}

function layerOf(path: string): string {
  return path.split('/')[1]!
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/')
}

/** The text with comments blanked out, lines kept. Good enough for code without `//` in patterns. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/.*$/gm, '$1')
}

function linesMatching(files: readonly SourceFile[], pattern: RegExp, strip = false): string[] {
  return files.flatMap(({ path, text }) =>
    (strip ? withoutComments(text) : text)
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  )
}

test('every folder of src has its place in the layers', () => {
  const folders = SOURCES.map(({ path }) => layerOf(path)).filter((name) => !name.endsWith('.ts'))
  const known = new Set([...LAYERS, 'testing'])
  expect([...new Set(folders)].filter((name) => !known.has(name))).toEqual([])
})

test('a module imports only from its own layer and from those below it', () => {
  const wrong = SOURCES.filter(({ path }) => !isTest(path))
    .filter(({ path }) => LAYERS.includes(layerOf(path)))
    .flatMap(importsOf)
    .filter(({ file, target }) => {
      const from = LAYERS.indexOf(layerOf(file.path))
      const to = LAYERS.indexOf(layerOf(target))
      return !target.startsWith('src/') || to === -1 || to > from
    })
  expect(wrong.map(({ file, target }) => `${file.path} imports ${target}`)).toEqual([])
})

test('what is imported is there', () => {
  const imports = [...SOURCES, ...sourceFiles(['simulator', 'test', 'scripts'], ['.ts', '.mjs'])]
    .filter(({ path }) => path !== 'test/tidy.test.ts')
    .flatMap(importsOf)
    .filter(({ target }) => !target.startsWith('dist/'))
  const missing = imports.filter(({ target }) => !existsSync(join(ROOT, target)))
  expect(missing.map(({ file, target }) => `${file.path} imports ${target}`)).toEqual([])
})

test('no modules import each other in a circle, types included', () => {
  const files = [...SOURCES, ...sourceFiles(['simulator'], ['.ts'])].filter(
    ({ path }) => !isTest(path),
  )
  const open = new Map(
    files.map((file) => [file.path, new Set(importsOf(file).map(({ target }) => target))]),
  )
  // Whoever imports nothing that is left is in no circle.
  for (let size = -1; size !== open.size;) {
    size = open.size
    for (const [path, targets] of open) {
      if (![...targets].some((target) => open.has(target))) open.delete(path)
    }
  }
  expect([...open.keys()]).toEqual([])
})

test('only tests import from src/testing and from the simulator', () => {
  const wrong = SOURCES.filter(({ path }) => !isTest(path) && layerOf(path) !== 'testing')
    .flatMap(importsOf)
    .filter(({ target }) => /^(?:src\/testing|simulator)\//.test(target))
  expect(wrong.map(({ file }) => file.path)).toEqual([])
  const kit = SOURCES.filter(({ path }) => !isTest(path) && layerOf(path) === 'testing')
    .flatMap(importsOf)
    .filter(({ target }) => target.startsWith('simulator/'))
  expect(kit.map(({ file }) => file.path)).toEqual([])
})

test('no module opens files but those that cannot come upon one of SQLite', () => {
  const opens =
    /^(?:open|read|readv|readFile|write|writeFile|appendFile|copyFile|cp|truncate|createReadStream|createWriteStream|openAsBlob)(?:Sync)?$/
  const wanted = SOURCES.filter(({ path }) => !isTest(path) && layerOf(path) !== 'testing')
  const found = wanted.filter(({ text }) => fileCallsIn(text).some((name) => opens.test(name)))
  expect(found.map(({ path }) => path)).toEqual(Object.keys(OPENERS))
})

test(`no file is longer than ${LINES_MAX} lines`, () => {
  const long = CODE.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
  expect(long.filter(({ lines }) => lines > LINES_MAX)).toEqual([])
})

test('files are named in kebab case', () => {
  const odd = CODE.filter(({ path }) => !/^(?:[a-z0-9-]+\/)+[a-z0-9.-]+$/.test(path))
  expect(odd.map(({ path }) => path)).toEqual([])
})

test('nothing is left open', () => {
  expect(linesMatching(CODE.filter(notThis), /\b(?:TODO|FIXME|XXX)\b/)).toEqual([])
})

test('no test is focused, and none is skipped without a condition', () => {
  const focused = /\b(?:test|it|describe)\.(?:only|todo|skip)\s*[.(]/
  expect(linesMatching(CODE.filter(notThis), focused, true)).toEqual([])
})

test('an entry only re-exports', () => {
  const statement = /^(?:export (?:type )?(?:\*|\{[^}]*\}) from '[^']+'\s*)*$/
  const wrong = SOURCES.filter(isEntry).filter(
    ({ text }) => !statement.test(withoutComments(text).trim()),
  )
  expect(wrong.map(({ path }) => path)).toEqual([])
})

test('every export and command of package.json has its source', () => {
  const { exports, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>
    bin: Record<string, string>
  }
  const built = [...Object.values(exports), bin]
    .flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)))
    .filter((path) => path.startsWith('./dist/'))
  const source = (path: string): string =>
    path.replace('./dist/', 'src/').replace(/(?:\.d\.ts|\.js)$/, '.ts')
  expect(built.map(source).filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

test('what the package exports has doc comments, and the few that lack one become fewer', () => {
  const files = new Map(SOURCES.map((file) => [file.path, file]))
  const lacking = SOURCES.filter(isEntry)
    .flatMap((index) => reexportsOf(index))
    .flatMap(({ target, names }) => {
      const file = files.get(target)
      return file === undefined ? [] : undocumented(file, names)
    })
  const different = [...new Set(lacking)]
  expect(different.length <= UNDOCUMENTED_MAX ? [] : different).toEqual([])
})

test('no file names a folder of somebody’s machine', () => {
  const machine = /(?:^|[^\w.:/-])\/(?:home|root|work|Users)\/[\w.]|\.\.\/shared\b|C:\\Users\\/
  expect(linesMatching(ANYTHING, machine)).toEqual([])
})

test('links between the documents lead somewhere', () => {
  expect(NOTES.flatMap(brokenLinks)).toEqual([])
})

function notThis({ path }: SourceFile): boolean {
  return path !== 'test/tidy.test.ts'
}

/** A file that users import: the main one and those of the subpaths. */
function isEntry({ path }: SourceFile): boolean {
  return /^src\/(?:core|messages)\.ts$|\/index\.ts$/.test(path)
}

function reexportsOf(index: SourceFile): { target: string; names: ReadonlySet<string> }[] {
  const pattern = /export (?:type )?\{([^}]*)\} from '([^']+)'/g
  return [...withoutComments(index.text).matchAll(pattern)].map(([, list, specifier]) => ({
    target: normalize(join(dirname(index.path), specifier!)),
    names: new Set(list!.split(',').map((name) => name.trim().replace(/^type /, ''))),
  }))
}

/** Those of the names that the file declares without a doc comment above. */
function undocumented({ path, text }: SourceFile, names: ReadonlySet<string>): string[] {
  const lines = text.split('\n')
  const seen = new Set<string>()
  const lacking: string[] = []
  const declaration =
    /^export (?:declare |abstract |async )*(?:class|function\*?|const|interface|type) (\w+)/
  lines.forEach((line, i) => {
    const name = declaration.exec(line)?.[1]
    // Of overloads the first one carries the comment.
    if (name === undefined || !names.has(name) || seen.has(name)) return
    seen.add(name)
    if (lines[i - 1]?.trim().endsWith('*/') !== true) lacking.push(`${path}:${i + 1}: ${name}`)
  })
  return lacking
}

function brokenLinks({ path, text }: SourceFile): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => !leadsSomewhere(path, target))
    .map((target) => `${path}: ${target}`)
}

function leadsSomewhere(from: string, target: string): boolean {
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? from : normalize(join(dirname(from), file))
  if (!existsSync(join(ROOT, path))) return false
  return anchor === undefined || !path.endsWith('.md') || anchorsOf(path).has(anchor)
}

/** The anchors that GitHub makes of the headings. */
function anchorsOf(path: string): Set<string> {
  const text = readFileSync(join(ROOT, path), 'utf8').replace(/```[\s\S]*?```/g, '')
  const headings = [...text.matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading]) => heading!)
  const slug = (heading: string): string =>
    heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
      .replace(/\s/g, '-')
  return new Set(headings.map(slug))
}
