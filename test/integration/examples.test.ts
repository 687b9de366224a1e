// Goal: the programs of examples/ run as they stand, on every kind of database. Method: they are compiled
// against the package as it is published, in strict mode, and run in folders of their own.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { makePackageFolder, tsc } from '../support/package-folder.ts'
import { describePostgres, freshDatabase } from '../support/postgres-backend.ts'
import { describeRedis, hasRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { ROOT } from '../support/source-files.ts'

/** Long enough for a loaded machine: a limit for what never ends. Milliseconds. */
const RUN_MS = 60_000

let folder: string
let redis: RedisServer | undefined

beforeAll(async () => {
  folder = makePackageFolder()
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(CONFIG))
  if (hasRedis) redis = await startRedis()
})
afterAll(async () => {
  await redis?.stop()
  await rm(folder, { recursive: true, force: true })
})

const CONFIG = {
  extends: join(ROOT, 'tsconfig.json'),
  compilerOptions: {
    noEmit: false,
    outDir: 'compiled',
    rootDir: 'examples',
    declaration: false,
    isolatedDeclarations: false,
  },
  include: ['examples'],
}

type Databases = Readonly<Record<string, string>>

/** A kind of primary: the suite that is skipped aloud without its server, its name, its databases. */
const KINDS: readonly (readonly [typeof describe.skip, string, () => Promise<Databases>])[] = [
  [describe, 'SQLite twice', async () => ({})],
  [describe, 'memory', async () => ({ ...both('memory:'), BACKUP_URL: 'memory:' })],
  [describePostgres, 'PostgreSQL and SQLite', async () => both(await freshDatabase())],
  [
    describeRedis,
    'Redis and SQLite',
    async () => ({ ...both(`${redis!.url}/1`), CACHE_URL: `${redis!.url}/2` }),
  ],
]

function both(url: string): Databases {
  return { PRIMARY_URL: url, DATABASE_URL: url }
}

test('the examples compile in strict mode', () => {
  expect(tsc('-p', folder)).toBe('')
})

/** What each program prints, among other things. */
const PROGRAMS: readonly (readonly [string, readonly string[]])[] = [
  [
    'strategic-store',
    [
      ' have it\nget: dark | mget: settings:2, settings:3\n',
      'exists after delete: false',
      'the backup has it too: dark',
      'connected: true',
      'healthy: true true',
      'backends after disconnect: null',
    ],
  ],
  [
    'storage-manager',
    [
      'before connect: null false',
      "database: { text: 'Hello' } | cache: { text: 'Hello' }",
      "list: [ 'two', 'three' ]",
      'connected: true 1 no error',
      'fallback: false false',
      'healthy: true healthy',
      'after disconnect: null false',
      'refused: database.port must be an integer from 1 to 65535, got 70000',
    ],
  ],
  [
    'custom-strategy',
    [
      "get: { n: 1 } | strategies: { read: 'cache-then-databases', write: 'log-first' }",
      '{ n: 1 }\n{ n: 1 }\nafter delete: undefined',
      'lists: strategy log-first cannot write lists: it only has execute()',
    ],
  ],
]

/** Those with a framework, on its own model for tests, and what each prints. */
const FRAMEWORKS: readonly (readonly [string, readonly string[]])[] = [
  [
    'keyv',
    [
      "kept: { text: 'Dear' } 4711\nhas: code\nhas: letter",
      'of another tenant: undefined\nafter a clear: undefined',
    ],
  ],
  [
    'langgraph',
    [
      'asks: send "Dear Ann, the boat leaves at nine."?\nanswers: It is sent.',
      'remembers: { sent: true }\nremoved: 3 older checkpoints\nleft: undefined',
    ],
  ],
  [
    'openai-agents',
    [
      'answer: It rains in Oslo.\nanswer: Take an umbrella.',
      'kept: message, reasoning, function_call, function_call_result, message, message, message',
      'undone: msg_2',
    ],
  ],
  [
    'langchain',
    [
      'answer: It rains in Oslo.\nanswer: Take an umbrella.',
      'ai It rains in Oslo. | human What should I take? | ai Take an umbrella.',
      'as messages of everthread: 4',
    ],
  ],
]

test.each(FRAMEWORKS)('examples/%s.mjs runs', async (name, lines) => {
  await run(`${name}.mjs`, join('examples', `${name}.mjs`), lines, async () => ({
    PRIMARY_URL: 'sqlite:./data/primary.db',
    BACKUP_URL: 'sqlite:./data/backup.db',
    WAL_URL: 'file:./data/wal',
  }))
})

describe('the programs', () => {
  for (const [suite, kind, databasesOf] of KINDS) {
    suite(`on ${kind}`, () => {
      test.each(PROGRAMS)('examples/%s.ts runs', (name, lines) =>
        run(`${name}.js`, join('compiled', `${name}.js`), lines, databasesOf),
      )
    })
  }
})

/** What the programs print that show a framework with its fake model. */
const WITH_FRAMEWORKS: readonly (readonly [string, readonly string[]])[] = [
  [
    'ai-sdk',
    [
      'the client is gone\nresumed: The flight leaves at nine.\nand then: 204\n',
      'user: When does it leave?\nassistant: The flight leaves at nine.\n',
    ],
  ],
]

test.each(WITH_FRAMEWORKS)('examples/%s.mjs runs', async (name, lines) => {
  const cwd = await mkdtemp(join(folder, `${name}-`))
  onTestFinished(() => rm(cwd, { recursive: true, force: true }))
  const program = join(folder, 'examples', `${name}.mjs`)
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    cwd,
    timeout: RUN_MS,
  })
  for (const line of lines) expect(stdout).toContain(line)
})

async function run(
  name: string,
  program: string,
  lines: readonly string[],
  databasesOf: () => Promise<Databases>,
): Promise<void> {
  const databases = await databasesOf()
  const cwd = await mkdtemp(join(folder, `${name}-`))
  onTestFinished(() => rm(cwd, { recursive: true, force: true }))
  await cp(join(folder, program), join(cwd, name))
  const env = { ...process.env, ...databases }
  const options = { cwd, env, timeout: RUN_MS }
  const { stdout } = await promisify(execFile)(process.execPath, [name], options)
  for (const line of lines) expect(stdout).toContain(line)
}
