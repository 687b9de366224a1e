/* What `bench/engines.ts` measures on Redis and SQLite, each opened in a process of its own. */
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { RedisDatabaseBackend } from '../../src/backend/redis/backend.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { SqliteBackend } from '../../src/backend/sqlite/index.ts'
import { openChatHistory } from '../../src/index.ts'
import { bareLog } from '../support/bare-log.ts'
import type { Subject } from '../support/measure.ts'
import { appendMaker, BODY } from '../support/messages.ts'

export const CONVERSATIONS = 100

export interface Target {
  /** Of Redis. */
  readonly url: string
  readonly directory: string
}

/** One push a message over one connection, which the driver pipelines. */
export async function rawPushes({ url }: Target): Promise<Subject> {
  const client = new Redis(url)
  return {
    name: 'raw ioredis, one RPUSH a message',
    promise: 'primary',
    run: (_round, i) => client.rpush(`raw:c${i % CONVERSATIONS}`, JSON.stringify(BODY)),
    close: async () => void (await client.quit()),
  }
}

/** The least that two copies cost: nothing is judged, indexed, flushed or kept for a repeat. */
export async function pushesAndLog(target: Target): Promise<Subject> {
  const pushes = await rawPushes(target)
  const log = await bareLog(join(target.directory, 'bare.log'))
  return {
    name: 'raw ioredis, one RPUSH a message, and a bare log',
    promise: 'primary + one file',
    run: (round, i) => Promise.all([pushes.run(round, i), log.run(round, i)]),
    close: async () => {
      await pushes.close()
      await log.close()
    },
  }
}

/** One transaction a message, in the thread that calls. */
export async function rawCommits({ directory }: Target): Promise<Subject> {
  const { driver, database, insert } = await rawTable(join(directory, 'raw.db'))
  return {
    name: `raw ${driver.name}, one commit a message`,
    promise: 'primary',
    run: async (_round, i) => insert.run(`c${i % CONVERSATIONS}`, JSON.stringify(BODY)),
    close: async () => void database.close(),
  }
}

/** The least that two copies cost: one transaction for all that waits, in the thread that calls. */
export async function batchesAndLog({ directory }: Target): Promise<Subject> {
  const { driver, database, insert } = await rawTable(join(directory, 'raw-batches.db'))
  const log = await bareLog(join(directory, 'bare.log'))
  let waiting: { readonly conversation: string; readonly resolve: () => void }[] = []
  const commit = (): void => {
    const batch = waiting
    waiting = []
    database.exec('BEGIN')
    for (const { conversation } of batch) insert.run(conversation, JSON.stringify(BODY))
    database.exec('COMMIT')
    for (const { resolve } of batch) resolve()
  }
  const save = (conversation: string): Promise<void> =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(commit)
      waiting.push({ conversation, resolve })
    })
  return {
    name: `raw ${driver.name}, one commit for what waits, and a bare log`,
    promise: 'primary + one file',
    run: (round, i) => Promise.all([save(`c${i % CONVERSATIONS}`), log.run(round, i)]),
    close: async () => {
      database.close()
      await log.close()
    },
  }
}

async function rawTable(path: string) {
  const driver = await loadSqliteDriver()
  const database = driver.open(path)
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec('CREATE TABLE messages (id INTEGER PRIMARY KEY, conversation TEXT, body TEXT)')
  database.exec('CREATE INDEX latest ON messages (conversation, id)')
  const insert = database.prepare('INSERT INTO messages (conversation, body) VALUES (?, ?)')
  return { driver, database, insert }
}

export async function redisAlone({ url }: Target): Promise<Subject> {
  return await alone('Redis', new RedisDatabaseBackend({ url, keyPrefix: 'alone:' }))
}

export async function sqliteAlone({ directory }: Target): Promise<Subject> {
  return await alone('SQLite', new SqliteBackend({ path: join(directory, 'alone.db') }))
}

export async function redisStore({ url, directory }: Target): Promise<Subject> {
  return await store('redis', url, directory)
}

export async function sqliteStore({ directory }: Target): Promise<Subject> {
  return await store('sqlite', `sqlite:${join(directory, 'primary.db')}`, directory)
}

async function alone(name: string, backend: ReplicaBackend): Promise<Subject> {
  const append = appendMaker()
  await backend.connect()
  return {
    name: `everthread, ${name} alone`,
    promise: 'primary',
    run: (_round, i) => backend.apply([append(`c${i % CONVERSATIONS}`)], { decide: true }),
    close: () => backend.disconnect(),
  }
}

async function store(name: string, primary: string, directory: string): Promise<Subject> {
  const history = await openChatHistory({
    primary,
    backup: `sqlite:${join(directory, `${name}-backup.db`)}`,
    wal: `file:${join(directory, name)}`,
  })
  return {
    name: `everthread idempotent, ${name} primary`,
    promise: 'primary + wal',
    run: (_round, i) => history.saveMessage(`c${i % CONVERSATIONS}`, BODY),
    settle: () => history.flush(),
    close: () => history.close(),
  }
}
