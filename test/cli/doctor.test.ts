// Goal: `everthread doctor` finds what its table of findings promises, says what to do, and changes nothing.
// Method: real servers and files, each spoiled in one way; where the advice is a statement it is run, and
// the finding must be gone.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import type { Finding } from '../../src/cli/doctor/finding.ts'
import { describePostgres, openPostgres, postgresUrl } from '../support/postgres-backend.ts'
import { freePort } from '../support/free-port.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { runCliHere, type CliRun } from '../support/run-cli.ts'
import { describeMemcached, startMemcached } from '../support/memcached-server.ts'
import { testBucket } from '../support/s3-bucket.ts'
import { ROOT } from '../support/source-files.ts'

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'everthread-doctor-'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(cwd, { recursive: true })
})

interface Diagnosis extends CliRun {
  readonly findings: readonly Finding[]
}

type Variables = Readonly<Record<string, string>>

/** Each place in memory, unless it is given. */
const MEMORY: Variables = {
  EVERTHREAD_PRIMARY_URL: 'memory:',
  EVERTHREAD_BACKUP_URL: 'memory:',
  EVERTHREAD_WAL: 'memory:',
}

async function doctor(variables: Variables): Promise<Diagnosis> {
  const run = await runCliHere(['doctor', '--json'], {
    cwd,
    variables: { ...MEMORY, ...variables },
  })
  expect(run.stderr).toBe('')
  const { ok, findings } = JSON.parse(run.stdout) as { ok: boolean; findings: Finding[] }
  expect(ok).toBe(run.code === 0)
  return { ...run, findings }
}

/** Level and code of what was found of a place, but for what is well. */
function troubles({ findings }: Diagnosis, place: Finding['place'] = 'primary'): string[] {
  return findings
    .filter((finding) => finding.place === place && finding.level !== 'ok')
    .filter(({ code, text }) => code !== 'too-old' || text.includes('schema'))
    .map(({ level, code }) => `${level} ${code}`)
}

function adviceOf({ findings }: Diagnosis, code: Finding['code']): string {
  return findings.find((finding) => finding.code === code)?.advice ?? ''
}

test('the document has every finding, and the levels that it may have', () => {
  const source = readFileSync(join(ROOT, 'src/cli/doctor/finding.ts'), 'utf8')
  const [, union = ''] = /export type FindingCode =([\s\S]*?)\n\n/.exec(source) ?? []
  const codes = [...union.matchAll(/'([a-z-]+)'/g)].map(([, code]) => code!)
  const text = readFileSync(join(ROOT, 'docs/command-line.md'), 'utf8')
  const [, table = ''] = /\| finding [\s\S]*?\n\n/.exec(text)?.[0].match(/([\s\S]*)/) ?? []
  const listed = [...table.matchAll(/^\| `([a-z-]+)`/gm)].map(([, code]) => code!)
  expect([...listed].sort()).toEqual([...codes].sort())
})

test('a folder with nothing in it: all is new, and nothing is made', async () => {
  const files = { EVERTHREAD_PRIMARY_URL: `sqlite:${cwd}/p.db`, EVERTHREAD_WAL: `file:${cwd}/wal` }
  const found = await doctor({ ...files, EVERTHREAD_BACKUP_URL: `sqlite:${cwd}/sub/b.db` })
  expect(troubles(found)).toEqual(['note new'])
  expect(troubles(found, 'backup')).toEqual(['note new'])
  expect(troubles(found, 'store')).toEqual(['warning one-disk', 'note plain-text'])
  expect(found.code).toBe(3)
  expect(readdirSync(cwd)).toEqual([])
})

test('for people it is a list that fits the terminal, with what to do below each finding', async () => {
  const run = async (columns: number): Promise<string[]> => {
    const variables = { ...MEMORY, NO_COLOR: '1' }
    const { stdout, code } = await runCliHere(['doctor'], { cwd, variables, columns })
    expect(code).toBe(3)
    return stdout.split('\n')
  }
  expect(await run(80)).toEqual([
    'primary  warning  it is kept in the memory of one process',
    '                  -> for tests only',
    '',
    'backup   warning  it is kept in the memory of one process',
    '                  -> for tests only',
    '',
    'wal      warning  it is kept in the memory of one process',
    '                  -> give --wal file:DIRECTORY or redis-stream://…',
    '',
    'store    note     messages are stored as plain text',
    '                  -> EVERTHREAD_ENCRYPTION_KEYS encrypts what backup and log',
    '                     hold',
    '',
    '3 warnings, 1 note.',
    '',
  ])
  const narrow = await run(30)
  expect(narrow.slice(0, 3)).toEqual([
    'primary  warning',
    '  it is kept in the memory of',
    '  one process',
  ])
  for (const line of narrow) expect(line.length).toBeLessThanOrEqual(30)
})

describe('SQLite', () => {
  const made = async (): Promise<string> => {
    const path = join(cwd, 'chat.db')
    const backend = new SqliteBackend({ path })
    await backend.connect()
    await backend.append('k', 1)
    await backend.disconnect()
    return path
  }
  const sqlite = async (path: string, statement: string): Promise<void> => {
    const database = (await loadSqliteDriver()).open(path)
    database.exec(statement)
    database.close()
  }

  test('an index that is gone is told', async () => {
    const path = await made()
    expect(troubles(await doctor({ EVERTHREAD_PRIMARY_URL: `sqlite:${path}` }))).toEqual([])
    await sqlite(path, 'DROP INDEX everthread_items_removed')
    const found = await doctor({ EVERTHREAD_PRIMARY_URL: `sqlite:${path}` })
    expect(troubles(found)).toEqual(['warning not-indexed'])
    expect(found.stdout).toContain('everthread_items_removed')
  })

  test.each([
    [2, 'warning old-schema'],
    [99, 'error too-old'],
  ])('a schema of version %i, which it does not change', async (version, trouble) => {
    const path = await made()
    await sqlite(path, `UPDATE everthread_schema SET version = ${version}`)
    for (const _again of [1, 2]) {
      const found = await doctor({ EVERTHREAD_PRIMARY_URL: `sqlite:${path}` })
      expect(troubles(found)).toEqual([trouble])
    }
  })

  test('a file that is none, a folder in the way, and one file for both', async () => {
    writeFileSync(join(cwd, 'text.db'), 'x'.repeat(2_000))
    const none = await doctor({ EVERTHREAD_PRIMARY_URL: `sqlite:${cwd}/text.db` })
    expect(troubles(none)[0]).toMatch(/^error un/)
    expect(none.stdout).toContain('the file belongs to something else')
    const within = await doctor({ EVERTHREAD_PRIMARY_URL: `sqlite:${cwd}/text.db/x.db` })
    expect(troubles(within)[0]).toMatch(/^error un/)
    const path = await made()
    const both = await doctor({
      EVERTHREAD_PRIMARY_URL: `sqlite:${path}`,
      EVERTHREAD_BACKUP_URL: `sqlite:${path}`,
    })
    expect(troubles(both, 'store')).toContain('error same-database')
  })
})

describe('the log', () => {
  test('entries that wait, that were refused, and that cannot be read', async () => {
    const wal = join(cwd, 'wal')
    cpSync(join(ROOT, 'test/golden/wal-v1'), wal, { recursive: true })
    const found = await doctor({ EVERTHREAD_WAL: `file:${wal}` })
    expect(troubles(found, 'wal')).toEqual(['warning dead-letters', 'note pending'])
    const folder = join(wal, readdirSync(wal)[0]!)
    // Of the first one: the end of the last may be cut short.
    const segment = join(folder, readdirSync(folder).sort()[0]!)
    const bytes = readFileSync(segment)
    bytes[bytes.findLastIndex((byte) => byte !== 0)]! ^= 0xff
    writeFileSync(segment, bytes)
    const spoilt = await doctor({ EVERTHREAD_WAL: `file:${wal}` })
    expect(troubles(spoilt, 'wal')).toContain('error damaged')
    expect(spoilt.code).toBe(3)
  })

  test.skipIf(process.platform !== 'linux')('a folder in memory is not durable', async () => {
    const found = await doctor({ EVERTHREAD_WAL: 'file:/dev/shm/everthread-doctor' })
    expect(troubles(found, 'wal')).toContain('warning not-durable')
    expect(found.stdout).toContain('tmpfs')
  })
})

/** As an administrator would. */
async function sql(statement: string, url: string = postgresUrl!): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

describePostgres('PostgreSQL', () => {
  let database: string
  let url: string
  beforeEach(async () => {
    database = `d${randomBytes(6).toString('hex')}`
    await sql(`CREATE DATABASE ${database}`)
    const { port } = new URL(postgresUrl!)
    url = `postgresql://postgres@127.0.0.1:${port}/${database}`
  })
  afterEach(async () => {
    await sql(`DROP DATABASE ${database} WITH (FORCE)`)
  })
  const look = (more: Variables = {}): Promise<Diagnosis> =>
    doctor({ EVERTHREAD_PRIMARY_URL: url, ...more })
  const run = (statement: string): Promise<void> => sql(statement, url)
  const open = async (): Promise<void> => {
    const backend = await openPostgres({ url, schema: 'public' })
    await backend.disconnect()
  }

  test('a new one gets no tables, one that is in order has nothing to tell', async () => {
    expect(troubles(await look())).toEqual(['note new'])
    expect(troubles(await look())).toEqual(['note new'])
    await open()
    expect(troubles(await look())).toEqual([])
  })

  test('an index that is gone or not valid: the advice mends it', async () => {
    await open()
    await run('DROP INDEX everthread_items_moved')
    const gone = await look()
    expect(troubles(gone)).toEqual(['warning not-indexed'])
    await run(adviceOf(gone, 'not-indexed'))
    expect(troubles(await look())).toEqual([])
    await run(`UPDATE pg_index SET indisvalid = false
      WHERE indexrelid = 'everthread_keys_tenant'::regclass`)
    const invalid = await look()
    expect(troubles(invalid)).toEqual(['warning not-indexed'])
    await run(adviceOf(invalid, 'not-indexed'))
    expect(troubles(await look())).toEqual([])
  })

  test.each([
    ["UPDATE everthread_meta SET value = '5' WHERE name = 'version'", 'warning old-schema'],
    ["UPDATE everthread_meta SET value = '99' WHERE name = 'version'", 'error too-old'],
    ['ALTER TABLE everthread_items SET UNLOGGED', 'error unusable'],
    ['ALTER DATABASE this SET default_transaction_read_only = on', 'error read-only'],
  ])('%s: %s', async (statement, trouble) => {
    await open()
    await run(statement.replace('this', database))
    const found = await look()
    expect(troubles(found)).toEqual([trouble])
    expect(found.code).toBe(3)
  })

  test('a server that loses what it acknowledged', async () => {
    const settings = { fsync: 'off', full_page_writes: 'off' }
    const server = await startPostgres({ settings })
    onTestFinished(() => server.stop())
    const found = await look({ EVERTHREAD_PRIMARY_URL: server.url })
    expect(troubles(found)).toEqual(['warning not-durable', 'note new'])
    expect(found.stdout).toContain('fsync is off, full_page_writes is off')
  })

  test('a role that may not make tables', async () => {
    await run(`CREATE ROLE ${database} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
    const found = await look({ EVERTHREAD_PRIMARY_URL: url.replace('postgres@', `${database}@`) })
    expect(troubles(found)).toEqual(['note new', 'error unusable'])
    await run(adviceOf(found, 'unusable'))
    const after = await look({ EVERTHREAD_PRIMARY_URL: url.replace('postgres@', `${database}@`) })
    expect(troubles(after)).toEqual(['note new'])
    await run(`DROP OWNED BY ${database}; DROP ROLE ${database}`)
  })

  test('a clock that is off, and a connection that others can read', async () => {
    const now = Date.now
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 7_000)
    const open = url.replace('127.0.0.1', '[::ffff:127.0.0.1]')
    const found = await look({ EVERTHREAD_PRIMARY_URL: `${open}?sslmode=disable` })
    expect(troubles(found)).toEqual(['warning not-encrypted', 'warning clock-off', 'note new'])
    expect(found.stdout).toMatch(/clock is [67]\.\d s behind/)
  })

  test('one that is not there, by name and by port', async () => {
    const absent = await look({ EVERTHREAD_PRIMARY_URL: url.replace(database, 'nosuch') })
    expect(troubles(absent)[0]).toMatch(/^error un/)
    expect(absent.stdout).toContain('createdb')
    // Where the primary is nobody knows: perhaps on another disk.
    const others = { EVERTHREAD_BACKUP_URL: `sqlite:${cwd}/b.db`, EVERTHREAD_WAL: `file:${cwd}/w` }
    const rest = await look({ EVERTHREAD_PRIMARY_URL: url.replace(database, 'nosuch'), ...others })
    expect(troubles(rest, 'store')).toEqual(['note plain-text'])
    const secret = 'hunter2hunter2'
    const closed = `postgresql://u:${secret}@127.0.0.1:${await freePort()}/d`
    const refused = await look({ EVERTHREAD_PRIMARY_URL: closed })
    expect(troubles(refused)).toEqual(['error unreachable'])
    expect(refused.code).toBe(4)
    expect(refused.stdout).not.toContain(secret)
  })
})

describeRedis('Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  /** Settings of the server, until the test ends. */
  async function set(settings: Readonly<Record<string, string>>): Promise<void> {
    const { redisCommand } = await import('../support/redis-command.ts')
    for (const [name, value] of Object.entries(settings)) {
      await redisCommand(server.url, 'CONFIG', 'SET', name, value)
    }
  }
  afterEach(() => set({ appendfsync: 'always', 'maxmemory-policy': 'noeviction', maxmemory: '0' }))

  test('one that is in order, and one server for two places', async () => {
    const found = await doctor({
      EVERTHREAD_BACKUP_URL: server.url,
      EVERTHREAD_WAL: server.url.replace('redis:', 'redis-stream:'),
    })
    expect(troubles(found, 'backup')).toEqual([])
    expect(troubles(found, 'wal')).toEqual([])
    expect(troubles(found, 'store')).toEqual(['warning one-server', 'note plain-text'])
  })

  test.each<[Variables, string]>([
    [{ appendfsync: 'everysec' }, 'warning not-durable'],
    [{ maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' }, 'error evicting'],
  ])('%j: %s; the advice mends it', async (settings, trouble) => {
    await set(settings)
    const found = await doctor({ EVERTHREAD_PRIMARY_URL: server.url })
    expect(troubles(found)).toEqual([trouble])
    const advice = adviceOf(found, trouble.split(' ')[1] as Finding['code'])
    const commands = [...advice.matchAll(/CONFIG SET (\S+) ([a-z]+)/g)]
    await set(Object.fromEntries(commands.map(([, name, value]) => [name!, value!])))
    expect(troubles(await doctor({ EVERTHREAD_PRIMARY_URL: server.url }))).toEqual([])
  })

  test('as a cache it may evict, but it must be there', async () => {
    await set({ maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' })
    const found = await doctor({ EVERTHREAD_CACHE_URL: server.url })
    expect(troubles(found, 'cache')).toEqual([])
    const gone = await doctor({ EVERTHREAD_CACHE_URL: `redis://127.0.0.1:${await freePort()}` })
    expect([troubles(gone, 'cache'), gone.code]).toEqual([['error unreachable'], 4])
  })
})

describe('S3', () => {
  /** Of a store whose configuration file names the bucket. */
  async function look(config: object): Promise<readonly Finding[]> {
    writeFileSync(join(cwd, 'everthread.config.json'), JSON.stringify({ backup: config }))
    const variables = { EVERTHREAD_PRIMARY_URL: 'memory:', EVERTHREAD_WAL: 'memory:' }
    const { stdout } = await runCliHere(['doctor', '--json'], { cwd, variables })
    return (JSON.parse(stdout) as Diagnosis).findings.filter(({ place }) => place === 'backup')
  }

  test('a bucket is looked at and left empty; keys that are wrong are told', async () => {
    const { options, open } = await testBucket()
    const bucket = { type: 's3', ...options }
    const found = await look(bucket)
    expect(found.map(({ code }) => code)).toEqual(['connected', 'new', 'durable'])
    expect((await look(bucket)).map(({ code }) => code)).toContain('new')
    await open()
    expect((await look(bucket)).map(({ code }) => code)).toEqual(['connected', 'durable'])
    const credentials = { accessKeyId: 'nobody', secretAccessKey: 'hunter2hunter2' }
    const refused = await look({ ...bucket, credentials })
    expect(refused).toMatchObject([{ level: 'error', advice: expect.stringContaining('right') }])
    expect(JSON.stringify(refused)).not.toContain('hunter2')
  })
})

describeMemcached('Memcached', () => {
  test('is a cache that answers, or does not', async () => {
    const server = await startMemcached()
    expect(troubles(await doctor({ EVERTHREAD_CACHE_URL: server.url }), 'cache')).toEqual([])
    await server.stop()
    const gone = await doctor({ EVERTHREAD_CACHE_URL: server.url })
    expect(troubles(gone, 'cache')).toEqual(['error unreachable'])
  })
})
