// Goal: the package has what users can use, and nothing else. Method: it is built as it is published, and npm
// lists what it would pack.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publishedPackage } from '../support/package-folder.ts'

let folder: string
let files: readonly string[]
beforeAll(() => {
  folder = publishedPackage()
  const npm = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const { stdout } = spawnSync('npm', npm, { cwd: folder, encoding: 'utf8' })
  const [packed] = JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }]
  files = packed.files.map(({ path }) => path)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function read(path: string): string {
  return readFileSync(join(folder, path), 'utf8')
}

test('every entry and command is there, with its declarations', () => {
  const { exports, bin } = JSON.parse(read('package.json')) as {
    readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
    readonly bin: Readonly<Record<string, string>>
  }
  const named = [...Object.values(exports), bin].flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  )
  expect(named).toContain('./dist/core.d.ts')
  expect(named.filter((path) => !files.includes(path.slice('./'.length)))).toEqual([])
})

test('parts of everthread/core fit what everthread opens', () => {
  const program = `
    import { openChatHistory } from 'everthread'
    import { MemoryBackend, nodeEnv } from 'everthread/core'
    const primary = new MemoryBackend()
    const env = nodeEnv()
    const history = await openChatHistory({ primary, backup: 'memory:', wal: 'memory:', env })
    const { copies } = await history.saveMessage('c', { role: 'user', content: 'x' })
    await history.close()
    console.log(copies.length >= 2)`
  const args = ['--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  expect([stdout.trim(), stderr]).toEqual(['true', ''])
})

test('what declarations import is there', () => {
  const missing = files
    .filter((path) => path.endsWith('.d.ts'))
    .flatMap((path) =>
      [...read(path).matchAll(/(?:from |import\()['"](\.[^'"]+)\.ts['"]/g)].map(([, specifier]) =>
        join(dirname(path), `${specifier}.d.ts`),
      ),
    )
    .filter((path) => !files.includes(path))
  expect(missing).toEqual([])
})

test('no declarations of the command line or the simulator', () => {
  const declarations = files.filter((path) => path.endsWith('.d.ts'))
  expect(declarations).toContain('dist/index.d.ts')
  expect(declarations.filter((path) => /(?:^|\/)(?:cli|simulator)\//.test(path))).toEqual([])
})

test('no sources, tests or maps', () => {
  const wrong = files.filter(
    (path) =>
      /\.(?:test|spec)\.|\.map$|\.tsbuildinfo$|^(?:src|test|simulator|scripts|bench)\//.test(
        path,
      ) ||
      (/\.[cm]?ts$/.test(path) && !path.endsWith('.d.ts') && !path.startsWith('examples/')),
  )
  expect(wrong).toEqual([])
})

test('no script or declaration names a map that is not there', () => {
  const maps = files
    .filter((path) => /\.(?:[cm]?js|d\.ts)$/.test(path))
    .flatMap((path) =>
      [...read(path).matchAll(/^\/\/[#@] sourceMappingURL=(\S+)/gm)].map(([, map]) =>
        join(dirname(path), map!),
      ),
    )
  expect(maps.filter((path) => !existsSync(join(folder, path)))).toEqual([])
})
