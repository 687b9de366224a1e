// Goal: every snippet of the documents works as it stands. Method: each is compiled in strict mode against the package as it
// is published, and run in a process and a folder of its own. CONTRIBUTING.md says how a fragment names what surrounds it.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments, type Document } from 'yaml'
import { freePort } from './support/free-port.ts'
import { makePackageFolder, tsc } from './support/package-folder.ts'
import { freshDatabase, postgresUrl } from './support/postgres-backend.ts'
import { hasRedis, startRedis, type RedisServer } from './support/redis-server.ts'
import { snippetsOf, type Needed } from './support/snippets.ts'
import { ROOT, sourceFiles } from './support/source-files.ts'

const DOCUMENTS = sourceFiles(['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'docs'], ['.md'])
const SNIPPETS = DOCUMENTS.flatMap(snippetsOf)
/** Long enough for a loaded machine: a limit for what never ends. Milliseconds. */
const RUN_MS = 60_000

const PROGRAMS = SNIPPETS.filter(({ language }) => language === 'ts').map((snippet) => ({
  ...snippet,
  name: `${snippet.path.replaceAll(/[/.]/g, '-')}-${snippet.line}`,
}))

test('every block has a language: one that is checked, or text', () => {
  const known = ['ts', 'sh', 'json', 'yaml', 'text', 'hex']
  const others = SNIPPETS.filter(({ language }) => !known.includes(language))
  expect(others.map(({ path, line, language }) => `${path}:${line} ${language}`)).toEqual([])
})

test('json is JSON', () => {
  const blocks = SNIPPETS.filter(({ language }) => language === 'json')
  for (const { code } of blocks) expect(() => JSON.parse(code) as unknown).not.toThrow()
})

test('yaml is YAML', () => {
  const blocks = SNIPPETS.filter(({ language }) => language === 'yaml')
  for (const { code } of blocks) {
    for (const document of parseAllDocuments(code)) {
      expect((document as Document).errors).toEqual([])
    }
  }
})

describe('programs', () => {
  let folder: string
  let redis: RedisServer | undefined

  beforeAll(async () => {
    folder = makePackageFolder()
    mkdirSync(join(folder, 'snippets'))
    for (const { name, before, code, after } of PROGRAMS) {
      writeFileSync(join(folder, 'snippets', `${name}.ts`), `${before}${code}${after}\nexport {}\n`)
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(CONFIG))
    if (hasRedis) redis = await startRedis()
  })

  afterAll(async () => {
    await redis?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('compile in strict mode', () => {
    expect(PROGRAMS.length).toBeGreaterThan(20)
    expect(tsc('-p', folder)).toBe('')
  })

  describe.concurrent('run', () => {
    for (const program of PROGRAMS) {
      const isMissing =
        (program.needs.includes('postgres') && postgresUrl === undefined) ||
        (program.needs.includes('redis') && !hasRedis)
      test.skipIf(isMissing)(`${program.path}:${program.line}`, () => run(program), 2 * RUN_MS)
    }
  })

  async function run({ name, needs }: (typeof PROGRAMS)[number]): Promise<void> {
    const cwd = join(folder, 'run', name)
    mkdirSync(cwd, { recursive: true })
    const port = String(await freePort())
    const env = {
      ...process.env,
      NODE_NO_WARNINGS: '1',
      PORT: port,
      SESSION_SECRET: 'sixteen bytes, or more',
    }
    const path = join(folder, 'compiled', `${name}.js`)
    const text = readFileSync(path, 'utf8').replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`)
    const code = await withAddresses(text, needs)
    writeFileSync(path, code)
    const args = needs.includes('vitest') ? vitestArguments(cwd, path) : [path]
    await promisify(execFile)(process.execPath, args, { cwd, env, timeout: RUN_MS })
  }

  /** The addresses of the documents become those of the servers of this run. */
  async function withAddresses(code: string, needs: readonly Needed[]): Promise<string> {
    let text = code
    if (needs.includes('redis'))
      text = text.replaceAll('localhost:6379', `127.0.0.1:${redis!.port}`)
    if (!needs.includes('postgres')) return text
    const urls = new Map<string, string>()
    for (const [url] of text.matchAll(LOCAL_DATABASE)) urls.set(url, await freshDatabase())
    const { port, pathname } = new URL(await freshDatabase())
    const backup = await freshDatabase()
    return text
      .replaceAll(LOCAL_DATABASE, (url) => urls.get(url)!)
      .replaceAll("process.env['BACKUP_URL']", `'${backup}'`)
      .replaceAll("host: 'localhost'", `host: '127.0.0.1', port: ${port}, user: 'postgres'`)
      .replaceAll("database: 'app'", `database: '${pathname.slice(1)}'`)
      .replaceAll(
        "process.env['DATABASE_URL']",
        `'postgresql://postgres@127.0.0.1:${port}${pathname}'`,
      )
  }
})

const LOCAL_DATABASE = /postgresql:\/\/localhost\/\w+/g

function vitestArguments(cwd: string, path: string): string[] {
  const config = { test: { include: [path], exclude: [], root: cwd } }
  writeFileSync(join(cwd, 'vitest.config.mjs'), `export default ${JSON.stringify(config)}`)
  return [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--dir', '/']
}

const CONFIG = {
  extends: join(ROOT, 'tsconfig.json'),
  compilerOptions: {
    noEmit: false,
    outDir: 'compiled',
    rootDir: 'snippets',
    lib: ['es2023', 'es2024.string', 'esnext.disposable', 'dom', 'dom.asynciterable'],
    declaration: false,
    isolatedDeclarations: false,
    noUnusedLocals: false,
  },
  include: ['snippets'],
  exclude: [],
}

describe('commands', () => {
  const { scripts, peerDependencies } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  ) as Readonly<Record<'scripts' | 'peerDependencies', Readonly<Record<string, string>>>>
  /** The tutorial's are run by test/runbooks/tutorial.test.ts. */
  const blocks = SNIPPETS.filter(
    ({ language, path }) => language === 'sh' && path !== 'docs/tutorial.md',
  )
  const commands = blocks.flatMap(({ path, line, code }) =>
    code
      .replaceAll('\\\n', ' ')
      .split(/\n|&&/)
      .map((text) => text.replace(/#.*$/, '').trim())
      .filter((text) => text !== '')
      .map((text) => ({ where: `${path}:${line}`, text })),
  )

  test('name scripts, packages and files that are there', () => {
    const wrong = commands.filter(({ text }) => !isKnown(text))
    expect(wrong).toEqual([])
  })

  function isKnown(text: string): boolean {
    const words = text.replace(/^(?:source <\(|npx (?=everthread))/, '').split(/\s+/)
    const [program, verb = '', third = ''] = words
    if (program === 'node') return existsSync(join(ROOT, verb))
    if (program === 'everthread') return everthreadCommands().has(verb)
    // Programs of a host, not ours; the bundler's line is run by test/bundles.
    if (HOST_PROGRAMS.includes(program!)) return true
    if (program !== 'npm') return false
    if (verb === 'ci' || (verb === 'test' && 'test' in scripts)) return true
    if (verb === 'run') return third in scripts
    return verb === 'install' && third in peerDependencies
  }
})

/** Programs of a host: what they do is not ours. */
const HOST_PROGRAMS = ['docker', 'esbuild', 'curl', 'printf']

/** Those of the list in docs/command-line.md, which tests of the command line compare with the program. */
function everthreadCommands(): ReadonlySet<string> {
  const text = readFileSync(join(ROOT, 'docs', 'command-line.md'), 'utf8')
  return new Set([...text.matchAll(/^everthread ([a-z-]+)/gm)].map(([, name]) => name!))
}
