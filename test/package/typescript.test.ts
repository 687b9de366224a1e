// Goal: the declarations of the package serve every TypeScript that is supported, whatever its settings.
// Method: programs of the tests and the examples import the package as it is published; the oldest
// supported compiler, the last one in JavaScript and ours compile them with both resolutions, and with
// optional properties exact and not.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { publishedPackage, TSC } from '../support/package-folder.ts'
import { ROOT } from '../support/source-files.ts'

/** Resolution and exactness have nothing to do with each other: two pairs try each once. */
const PAIRS = [
  { module: 'node16', moduleResolution: 'node16', exactOptionalPropertyTypes: true },
  { module: 'esnext', moduleResolution: 'bundler', exactOptionalPropertyTypes: false },
]
const ALL_PAIRS = [
  ...PAIRS,
  { module: 'node16', moduleResolution: 'node16', exactOptionalPropertyTypes: false },
  { module: 'esnext', moduleResolution: 'bundler', exactOptionalPropertyTypes: true },
]
/** The compilers in JavaScript take ten times as long. */
const COMPILERS = [
  { version: '5.4', compiler: compilerIn('typescript-5.4'), settings: PAIRS },
  { version: '6.0', compiler: compilerIn('typescript-6'), settings: PAIRS },
  { version: '7.0', compiler: TSC, settings: ALL_PAIRS },
]
/** A limit for what never ends, on a machine with other work. Milliseconds. */
const COMPILE_MS = 300_000
const PROGRAMS = [
  'test/contract-types.test.ts',
  'test/package/message-types.ts',
  'test/package/provider-types.ts',
  'examples/strategic-store.ts',
  'examples/storage-manager.ts',
  'examples/custom-strategy.ts',
]

/** What a program gets in place of the runner of the tests. */
const RUNNER = `
declare function expect(value: unknown): any
declare function test(name: string, run: () => Promise<void>): void
`

/** Programs import from the sources what users import from the package. */
const ENTRIES: readonly (readonly [RegExp, string])[] = [
  [/'(?:\.\.\/)+src\/index\.ts'/g, "'everthread'"],
  [/'(?:\.\.\/)+src\/(core|messages)\.ts'/g, "'everthread/$1'"],
  [/'(?:\.\.\/)+src\/backend\/(\w+)\/index\.ts'/g, "'everthread/$1'"],
  [/^import \{ expect, test \} from 'vitest'$/m, RUNNER],
]

let folder: string
beforeAll(() => {
  folder = publishedPackage()
  mkdirSync(join(folder, 'programs'))
  for (const [i, path] of PROGRAMS.entries()) {
    const text = readFileSync(join(ROOT, path), 'utf8')
    const program = ENTRIES.reduce((before, [from, to]) => before.replace(from, to), text)
    writeFileSync(join(folder, 'programs', `program-${i}.ts`), program)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function compilerIn(name: string): string {
  return join(ROOT, 'test/package', name, 'node_modules/typescript/bin/tsc')
}

function run(compiler: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, ...args], { encoding: 'utf8' })
  return stdout + stderr
}

describe.each(COMPILERS)('TypeScript $version', ({ version, compiler, settings: all }) => {
  test('is the one that is meant', () => {
    expect(run(compiler, ['--version'])).toMatch(new RegExp(`^Version ${version}\\.\\d+\\s*$`))
  })

  test.each(all)(
    'compiles with $moduleResolution, exact optional properties $exactOptionalPropertyTypes',
    (settings) => {
      const options = {
        ...settings,
        strict: true,
        noEmit: true,
        target: 'es2022',
        lib: ['es2023', 'esnext.disposable'],
        types: ['node'],
        // Our declarations are to be sound themselves.
        skipLibCheck: false,
      }
      const project = join(folder, 'tsconfig.json')
      writeFileSync(project, JSON.stringify({ compilerOptions: options, include: ['programs'] }))
      expect(run(compiler, ['-p', project])).toBe('')
    },
    COMPILE_MS,
  )
})

test('the command tsc is the compiler of package.json', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Readonly<Record<string, string>>
  }
  const command = join(ROOT, 'node_modules/.bin/tsc')
  const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' })
  expect(stdout.trim()).toBe(`Version ${devDependencies['typescript']}`)
})
