// Goal: a program that a bundler made one of everthread and its drivers keeps what it saves. Method: the packed
// package is bundled with a small program by each bundler, and run on real databases: beside its node_modules,
// where a bundler may leave packages, and in an empty folder, where it has what is in the bundle.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { build as esbuild, type BuildOptions } from 'esbuild'
import pg from 'pg'
import { rolldown } from 'rolldown'
import { build as vite } from 'vite'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import webpack from 'webpack'
import { openChatHistory } from '../../src/index.ts'
import { installPacked } from '../support/build-package.ts'
import { freePort } from '../support/free-port.ts'
import { emptyPackage } from '../support/package-folder.ts'
import { describePostgres, freshDatabase, postgresUrl } from '../support/postgres-backend.ts'
import { ROOT } from '../support/source-files.ts'

const PROGRAMS = join(ROOT, 'test', 'bundles', 'programs')

/** What `import()` of a package in CommonJS needs in a bundle of esbuild that is an ES module. */
const BANNER = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`

/** Longest run of a program: a limit for what never ends. Milliseconds. */
const RUN_MS = 60_000

interface Kind {
  readonly name: string
  /** The file that it makes. */
  readonly file: string
  /** True where SQLite has threads: everthread was left outside, or its address was kept. */
  readonly threads: boolean
  /** False where it leaves packages outside. */
  readonly alone: boolean
  readonly build: (program: string, target: string) => Promise<unknown>
}

const KINDS: readonly Kind[] = [
  {
    name: 'esbuild, an ES module',
    file: 'out.mjs',
    threads: false,
    alone: true,
    build: (program, target) => withEsbuild(program, target, { banner: { js: BANNER } }),
  },
  {
    name: 'esbuild, CommonJS',
    file: 'out.cjs',
    threads: false,
    alone: true,
    build: (program, target) => withEsbuild(program, target, { format: 'cjs' }),
  },
  {
    name: 'rolldown, an ES module',
    file: 'out.mjs',
    threads: false,
    alone: true,
    build: (program, target) => withRolldown(program, target, 'esm'),
  },
  {
    name: 'rolldown, CommonJS',
    file: 'out.cjs',
    threads: false,
    alone: true,
    build: (program, target) => withRolldown(program, target, 'cjs'),
  },
  {
    name: 'Vite for the server',
    file: 'out.mjs',
    threads: true,
    alone: false,
    build: (program, target) => withVite(program, target),
  },
  {
    name: 'Vite for the server, with all packages in it',
    file: 'out.mjs',
    threads: false,
    alone: true,
    build: (program, target) => withVite(program, target, true),
  },
  { name: 'webpack', file: 'out.cjs', threads: true, alone: true, build: withWebpack },
]

let application: string

beforeAll(() => {
  application = emptyPackage('bundles')
  writeFileSync(join(application, 'package.json'), '{ "name": "application", "private": true }')
  cpSync(PROGRAMS, application, { recursive: true })
  installPacked(inject('builtPackage')!, application)
})
afterAll(() => rmSync(application, { recursive: true, force: true }))

describe.each(KINDS)('a bundle of $name', ({ name, file, threads, alone, build }) => {
  let bundle: string

  beforeAll(async () => {
    bundle = join(application, name.replaceAll(/\W+/g, '-'))
    await build(join(application, 'chat.mjs'), join(bundle, file))
  })

  test(`keeps a history in SQLite, with ${threads ? 'threads' : 'one warning that it has no threads'}`, () => {
    const data = temporary()
    const places = { PRIMARY: `sqlite:${data}/primary.db`, BACKUP: `sqlite:${data}/backup.db` }
    const { warnings, ...seen } = runProgram(join(bundle, file), places)
    expect(seen).toEqual(whole('sqlite'))
    expect(warnings.filter((text) => /main thread/.test(text))).toHaveLength(threads ? 0 : 1)
    expect(warnings.filter((text) => /did not connect|cannot/.test(text))).toEqual([])
  })

  describePostgres('on PostgreSQL', () => {
    test(`keeps a history${alone ? ' with nothing beside it' : ''}`, async () => {
      const folder = alone ? moved(bundle) : bundle
      const { warnings, ...seen } = runProgram(join(folder, file), await twoDatabases())
      expect(seen).toEqual(whole('postgresql'))
      expect(warnings).toEqual([])
    })
  })
})

describePostgres(
  'a bundle of esbuild that is an ES module, without the line that defines require',
  () => {
    let file: string

    beforeAll(async () => {
      file = join(application, 'without-require', 'out.mjs')
      await withEsbuild(join(application, 'chat.mjs'), file, {})
    })

    test('takes the installed driver', async () => {
      const { warnings, ...seen } = runProgram(file, await twoDatabases())
      expect(seen).toEqual(whole('postgresql'))
      expect(warnings).toEqual([])
    })

    test('says that it cannot load the driver, where none is installed', async () => {
      const alone = join(moved(join(application, 'without-require')), 'out.mjs')
      const said = JSON.stringify(runProgram(alone, { ...(await twoDatabases()), ONLY_OPEN: '1' }))
      expect(said).toContain('PostgreSQL cannot load the package pg: Dynamic require of')
      expect(said).toContain('If this program was bundled, see docs/deploying.md')
    })
  },
)

test('a bundle of webpack on another machine than it was made on has no threads, and one warning', async () => {
  const elsewhere = temporary()
  cpSync(join(application, 'chat.mjs'), join(elsewhere, 'app', 'chat.mjs'))
  installPacked(inject('builtPackage')!, join(elsewhere, 'app'))
  const bundle = join(application, 'moved-webpack')
  await withWebpack(join(elsewhere, 'app', 'chat.mjs'), join(bundle, 'out.cjs'))
  rmSync(elsewhere, { recursive: true })
  const data = temporary()
  const places = { PRIMARY: `sqlite:${data}/primary.db`, BACKUP: `sqlite:${data}/backup.db` }
  const { warnings, ...seen } = runProgram(join(bundle, 'out.cjs'), places)
  expect(seen).toEqual(whole('sqlite'))
  expect(warnings.filter((text) => /main thread/.test(text))).toHaveLength(1)
})

test('a bundle for an edge runtime is refused when it is made', async () => {
  const made = esbuild({
    entryPoints: [join(application, 'chat.mjs')],
    bundle: true,
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  })
  await expect(made).rejects.toThrow(/Could not resolve "node:/)
})

describePostgres('a function on AWS Lambda: one file in CommonJS', () => {
  let folder: string
  const source = `
    const { handler } = require('./out.cjs')
    require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
      try {
        console.log(JSON.stringify(await handler(JSON.parse(line))))
      } catch (error) {
        console.log(JSON.stringify({ error: error.message }))
      }
    })`

  beforeAll(async () => {
    folder = join(application, 'lambda')
    const handler = join(application, 'handler.mjs')
    await withEsbuild(handler, join(folder, 'out.cjs'), { format: 'cjs' })
    folder = mkdtempSync(join(tmpdir(), 'everthread-lambda-'))
    cpSync(join(application, 'lambda'), folder, { recursive: true })
    writeFileSync(join(folder, 'runtime.cjs'), source)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function start(places: Environment): { child: ChildProcess; call: Call } {
    const env = { ...process.env, ...places, WAL: `file:${temporary()}/wal` }
    const stdio = ['pipe', 'pipe', 'inherit'] as const
    const child = spawn(process.execPath, ['runtime.cjs'], { cwd: folder, env, stdio: [...stdio] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    const call: Call = async (content) => {
      child.stdin!.write(`${JSON.stringify({ conversation: 'conversation', content })}\n`)
      return JSON.parse((await answers.next()).value as string) as Receipt
    }
    return { child, call }
  }

  test('what it acknowledged is in both databases when the instance and its disk are gone', async () => {
    const places = await twoDatabases()
    const { child, call } = start({ ...places, FLUSH_MS: String(RUN_MS) })
    for (const content of ['one', 'two'])
      expect((await call(content)).copies!.length).toBeGreaterThan(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    for (const url of Object.values(places)) expect(await contentsOf(url)).toEqual(['one', 'two'])
  })

  test('it answers while one of its databases is out', async () => {
    const PRIMARY = await freshDatabase()
    const BACKUP = `postgres://postgres@127.0.0.1:${await freePort()}/postgres`
    const { call } = start({ PRIMARY, BACKUP })
    expect((await call('one')).copies).toEqual(['primary', 'wal'])
    expect(await contentsOf(PRIMARY)).toEqual(['one'])
  })

  test('it goes on after it was frozen, although its connections are gone', async () => {
    const places = await twoDatabases()
    const { child, call } = start({ ...places, FLUSH_MS: String(RUN_MS) })
    await call('one')
    child.kill('SIGSTOP')
    await dropConnections()
    child.kill('SIGCONT')
    expect((await call('two')).error).toBeUndefined()
    for (const url of Object.values(places)) expect(await contentsOf(url)).toEqual(['one', 'two'])
  })
})

interface Receipt {
  readonly copies?: readonly string[]
  readonly error?: string
}
type Call = (content: string) => Promise<Receipt>
type Environment = Readonly<Record<string, string>>

interface Seen {
  readonly warnings: readonly string[]
}

/** What the program sees where all is well. */
function whole(type: string): object {
  const contents = ['one', 'two']
  return {
    contents,
    copies: expect.toBeOneOf([2, 3]),
    places: [type, type],
    missing: 0,
  }
}

function runProgram(file: string, places: Environment): Seen {
  const env = { ...process.env, WAL: `file:${temporary()}/wal`, ...places }
  const options = { cwd: dirname(file), encoding: 'utf8', env, timeout: RUN_MS } as const
  const { stdout, stderr } = spawnSync(process.execPath, [file], options)
  const line = stdout.trim().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) throw new Error(`${file} printed ${stdout}${stderr}`)
  return JSON.parse(line) as Seen
}

/** A copy where no package is installed. */
function moved(folder: string): string {
  const target = temporary()
  cpSync(folder, target, { recursive: true })
  return target
}

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-bundles-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Primary and backup on the shared server. */
async function twoDatabases(): Promise<{ readonly PRIMARY: string; readonly BACKUP: string }> {
  return { PRIMARY: await freshDatabase(), BACKUP: await freshDatabase() }
}

/** What a single database has, read without the other one. */
async function contentsOf(url: string): Promise<unknown[]> {
  const history = await openChatHistory({
    primary: url,
    backup: 'memory:',
    wal: 'memory:',
    reconcile: false,
    connectTimeout: RUN_MS,
  })
  try {
    return (await history.getHistory('conversation')).messages.map(({ content }) => content)
  } finally {
    await history.close()
  }
}

/** Ends every session of the server but its own, as a server does with what is idle for long. */
async function dropConnections(): Promise<void> {
  const client = new pg.Client(postgresUrl)
  await client.connect()
  await client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = $1',
    ['client backend'],
  )
  await client.end()
}

async function withEsbuild(
  program: string,
  outfile: string,
  options: BuildOptions,
): Promise<unknown> {
  return await esbuild({
    entryPoints: [program],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    ...options,
  })
}

async function withRolldown(program: string, target: string, format: 'esm' | 'cjs'): Promise<void> {
  const bundle = await rolldown({ input: program, platform: 'node', onLog: () => {} })
  await bundle.write({ dir: dirname(target), format, entryFileNames: basename(target) })
  await bundle.close()
}

async function withVite(program: string, target: string, noExternal = false): Promise<unknown> {
  return await vite({
    configFile: false,
    root: application,
    logLevel: 'error',
    ...(noExternal && { ssr: { noExternal } }),
    build: {
      ssr: program,
      outDir: dirname(target),
      rolldownOptions: { output: { entryFileNames: basename(target) } },
    },
  })
}

async function withWebpack(program: string, target: string): Promise<void> {
  const compiler = webpack({
    mode: 'production',
    target: 'node',
    context: dirname(program),
    entry: program,
    output: { path: dirname(target), filename: basename(target) },
    optimization: { minimize: false },
  })
  const stats = await new Promise<webpack.Stats>((resolve, reject) => {
    compiler.run((error, done) => (done === undefined ? reject(error as Error) : resolve(done)))
  })
  await new Promise((resolve) => compiler.close(resolve))
  expect(stats.toJson('errors-only').errors).toEqual([])
}
