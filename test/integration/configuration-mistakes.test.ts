// Goal: whoever makes a mistake in the configuration is told what it is, at once, and the document shows the
// very words. Method: each mistake is made, on real servers where it takes one, and what is told is compared
// with the table in docs/configuration-mistakes.md. With WRITE_DOCS=1 in the environment the table is written.
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  isStorageError,
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
} from '../../src/index.ts'
import { PackageWithoutDrivers } from '../support/package-without-drivers.ts'
import { hasPostgres } from '../support/postgres-binaries.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { hasRedis } from '../support/redis-server.ts'
import { ROOT } from '../support/source-files.ts'
import { startStrictServers, type StrictServers } from '../support/strict-servers.ts'

const DOCUMENT = join(ROOT, 'docs', 'configuration-mistakes.md')

/** What is told: the code of the error, or that the store opens, and the words. */
interface Told {
  readonly code: string
  readonly text: string
}
type Mistake = readonly [mistake: string, make: () => Promise<Told>]

let folder: string
let servers: StrictServers
let bare: PackageWithoutDrivers
const isReady = hasPostgres() && hasRedis && postgresUrl !== undefined
const former = process.cwd()

/** Opens a store as an application would, and tells what it hears. */
async function opened(options: unknown): Promise<Told> {
  const lines: string[] = []
  const warn = vi.spyOn(console, 'warn').mockImplementation((line) => void lines.push(String(line)))
  try {
    const history = await openChatHistory(options as ChatHistoryOptions)
    await history.close()
    return { code: 'opens, and warns', text: lines.join(' ') }
  } catch (error) {
    return told(error)
  } finally {
    warn.mockRestore()
  }
}

function told(error: unknown): Told {
  if (!isStorageError(error)) throw error
  return { code: error.code, text: error.message }
}

/** Beside the place with the mistake all is well. */
function beside(options: Readonly<Record<string, unknown>>): () => Promise<Told> {
  return () =>
    opened({ primary: 'sqlite:p.db', backup: 'sqlite:b.db', wal: 'file:wal', ...options })
}

/** A call of a store on which all is well. */
function call(run: (history: ChatHistory) => unknown): () => Promise<Told> {
  return async () => {
    const memory = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
    await using history = await openChatHistory({ ...memory, logger: false })
    try {
      await run(history)
    } catch (error) {
      return told(error)
    }
    throw new Error('the call was taken')
  }
}

/** In a process where no driver is installed. */
function withoutDrivers(options: string): () => Promise<Told> {
  return async () => {
    const print = 'console.log(JSON.stringify({ code: error.code, text: error.message }))'
    const output = bare.run(
      `await openChatHistory({ wal: 'file:wal', ${options} }).catch((error) => ${print})`,
    )
    return JSON.parse(output) as Told
  }
}

async function inContainer(): Promise<Told> {
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '10.0.0.1')
  try {
    return await opened({})
  } finally {
    vi.unstubAllEnvs()
  }
}

const unset = process.env['NO_SUCH_VARIABLE_OF_THIS_TEST']

const OPTIONS: readonly Mistake[] = [
  ['`primary: process.env.DATABASE_URL`, which is not set', beside({ primary: unset })],
  ['`backup: process.env.BACKUP_URL`, which is not set', beside({ backup: unset })],
  ['`wal: process.env.WAL`, which is not set', beside({ wal: unset })],
  [
    '`{ type: "postgresql", url: undefined }`',
    beside({ primary: { type: 'postgresql', url: unset } }),
  ],
  ['`primary: ""`, from a variable that is empty', beside({ primary: '' })],
  ['nothing is configured, in a container', inContainer],
  ['`primry`, a misspelt option', beside({ primry: 'sqlite:p.db' })],
  [
    '`{ type: "postgresql", hots: "db1" }`',
    beside({ primary: { type: 'postgresql', hots: 'db1' } }),
  ],
  [
    '`write: { config: { minCopys: 2 } }`',
    beside({ write: { type: 'idempotent', config: { minCopys: 2 } } }),
  ],
  ['`connectTimeout: "5000"`, a text', beside({ connectTimeout: '5000' })],
  ['`read: "primary-frist"`', beside({ read: 'primary-frist' })],
  ['`primary: "./data/chat.db"`, without a scheme', beside({ primary: './data/chat.db' })],
  ['`primary: "mysql://…"`', beside({ primary: 'mysql://db1/app' })],
  ['`?sslmod=require`', beside({ primary: 'postgresql://db1/app?sslmod=require' })],
  ['`?sslmode=requir`', beside({ primary: 'postgresql://db1/app?sslmode=requir' })],
  ['`#` in a password of a URL', beside({ primary: 'postgresql://app:p#ss@db1:5432/app' })],
  ['`sqlite:chat.db?mode=ro`', beside({ primary: 'sqlite:chat.db?mode=ro' })],
  ['`redis://cache1/app`, a name in place of a number', beside({ primary: 'redis://cache1/app' })],
  [
    '`redis-stream://…?onWaldown=direct`',
    beside({ wal: 'redis-stream://cache1?onWaldown=direct' }),
  ],
  ['one SQLite file as both databases', beside({ backup: 'sqlite:./folder/../p.db' })],
  ['`sessionSecret: "secret"`', beside({ sessionSecret: 'secret' })],
  ['`encryption: { keys: "k1:abc" }`', beside({ encryption: { keys: 'k1:abc' } })],
  [
    '`getHistory(id, { limt: 5 })`',
    call((history) => history.getHistory('c', { limt: 5 } as object)),
  ],
  ['`history.on("degradd", …)`', call((history) => history.on('degradd' as 'degraded', () => {}))],
]

const FILES: readonly Mistake[] = [
  ['a file that is no SQLite database', beside({ primary: 'sqlite:notes.txt' })],
  ['a folder in place of a SQLite file', beside({ backup: 'sqlite:folder' })],
  ['a file where a folder is needed', beside({ backup: 'sqlite:notes.txt/b.db' })],
  ['a file in place of the folder of the log', beside({ wal: 'file:notes.txt' })],
  [
    'Node 20 without a package for SQLite',
    withoutDrivers("primary: 'sqlite:p.db', backup: 'sqlite:b.db'"),
  ],
  [
    'PostgreSQL without the package `pg`',
    withoutDrivers("primary: 'postgresql://db1/app', backup: 'memory:'"),
  ],
  [
    'Redis without the package `redis`',
    withoutDrivers("primary: 'redis://cache1', backup: 'memory:'"),
  ],
]

const SERVERS: readonly Mistake[] = [
  ['a wrong password', () => postgres('app:wrong')],
  ['the same, of the backup', () => opened(of({ backup: servers.postgres('app:wrong') }))],
  ['no password where one is wanted', () => postgres('app')],
  ['a user that pg_hba.conf does not know', () => postgres('nobody')],
  ['a database that is not there', () => postgres('postgres', 'ap')],
  ['a role that may not make tables', () => postgres('weak')],
  ['a database in LATIN1', () => postgres('postgres', 'latin')],
  [
    'TLS wanted of a server without it',
    () => opened(of({ primary: `${postgresUrl}?sslmode=require` })),
  ],
  [
    'a certificate that nobody known has signed',
    () => postgres('postgres', 'postgres?sslmode=require'),
  ],
  ['a wrong port of PostgreSQL', beside({ primary: 'postgresql://app@127.0.0.1:1/app' })],
  ['a host that is not there', beside({ primary: 'postgresql://db1.invalid/app' })],
  ['Redis: no password where one is wanted', () => redis(servers.redis.url)],
  ['Redis: a wrong password', () => redis(withPassword('wrong'))],
  [
    'Redis: a database that the server does not have',
    () => redis(`${withPassword(servers.redisPassword)}/99`),
  ],
  ['Redis: a server that throws keys away when it is full', () => redis(servers.evicting.url)],
  ['the shared log: no password where one is wanted', () => sharedLog(servers.redis.url)],
  ['the shared log: a wrong port', () => sharedLog('redis://127.0.0.1:1')],
]

function of(options: Readonly<Record<string, unknown>>): object {
  return { primary: 'sqlite:p.db', backup: 'sqlite:b.db', wal: 'file:wal', ...options }
}

function postgres(user: string, database?: string): Promise<Told> {
  return opened(of({ primary: servers.postgres(user, database) }))
}

function redis(primary: string): Promise<Told> {
  return opened(of({ primary }))
}

function sharedLog(url: string): Promise<Told> {
  return opened(of({ wal: url.replace('redis:', 'redis-stream:') }))
}

function withPassword(password: string): string {
  return servers.redis.url.replace('redis://', `redis://:${password}@`)
}

/** Without what is another one each time. */
function everywhere({ code, text }: Told): Told {
  const words = text
    .replaceAll(folder, '/app')
    .replace(/(PostgreSQL at 127\.0\.0\.1):(?!1\/)\d+/g, '$1:5432')
    .replace(/(Redis at 127\.0\.0\.1):(?!1:)\d+/g, '$1:6379')
    // Where there is no resolver at all.
    .replace('EAI_AGAIN', 'ENOTFOUND')
  return { code, text: words }
}

const TABLES: readonly (readonly [heading: string, mistakes: readonly Mistake[]])[] = [
  ['## Options and calls\n', OPTIONS],
  ['## Files and packages\n', FILES],
  ['## Servers\n', SERVERS],
]

function tableOf(rows: readonly (readonly [string, Told])[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const lines = rows.map(([mistake, { code, text }]) => {
    const shown = /^[A-Z_]+$/.test(code) ? `\`${code}\`` : code
    return `| ${cell(mistake)} | ${shown} | \`${cell(text)}\` |`
  })
  return ['| mistake | | what is told |', '| --- | --- | --- |', ...lines].join('\n')
}

async function pretty(text: string): Promise<string> {
  return await format(text, { ...(await resolveConfig(DOCUMENT)), filepath: DOCUMENT })
}

/** The document with another table below the heading. */
function withTable(document: string, heading: string, table: string): string {
  const from = document.indexOf(heading)
  if (from === -1) throw new Error(`there is no ${heading}`)
  const start = document.indexOf('\n|', from)
  const end = document.indexOf('\n\n', start)
  return `${document.slice(0, start)}\n${table}${document.slice(end)}`
}

describe.skipIf(!isReady)('mistakes in the configuration', () => {
  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'everthread-mistakes-')))
    // Relative paths are the application's, and so is what lies there.
    process.chdir(folder)
    writeFileSync('notes.txt', 'no database. '.repeat(1_000))
    mkdirSync('folder')
    bare = new PackageWithoutDrivers()
    servers = await startStrictServers()
  })
  afterAll(async () => {
    process.chdir(former)
    bare.remove()
    await servers.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test.each(TABLES)('%s', async (heading, mistakes) => {
    const rows: [string, Told][] = []
    for (const [mistake, make] of mistakes) rows.push([mistake, everywhere(await make())])
    const document = readFileSync(DOCUMENT, 'utf8')
    const current = await pretty(withTable(document, heading, tableOf(rows)))
    if (process.env['WRITE_DOCS'] === '1') writeFileSync(DOCUMENT, current)
    else expect(document).toBe(current)
  })

  test('there are thirty of them and more, and a password is in none', () => {
    expect(OPTIONS.length + FILES.length + SERVERS.length).toBeGreaterThanOrEqual(30)
    expect(readFileSync(DOCUMENT, 'utf8')).not.toMatch(/correct-horse|wrong@/)
  })

  test('with allowDegradedStart what can never mend by itself opens as an outage does', async () => {
    const primary = servers.postgres('app:wrong')
    const { code, text } = everywhere(await opened(of({ primary, allowDegradedStart: true })))
    expect(code).toBe('opens, and warns')
    expect(text).toBe(
      'everthread: the primary is not connected and is tried again (cannot connect to PostgreSQL at ' +
        '127.0.0.1:5432/postgres: password authentication failed for user "app")',
    )
  })
})
