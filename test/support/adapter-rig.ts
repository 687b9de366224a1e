import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { freshDatabase } from './postgres-backend.ts'
import { hasRedis, startRedis, type RedisServer } from './redis-server.ts'

const RUN = fileURLToPath(new URL('run-typescript.mjs', import.meta.url))

/** Makes the URL of an empty database, by the name of its engine. */
export type Primary = readonly [name: string, urlOf: () => Promise<string>]

/**
 * Every kind of primary that is installed here.
 *
 * @param postgresUrl Of the shared PostgreSQL, which is started for files that name it.
 */
export function primaries(postgresUrl: string | undefined): readonly Primary[] {
  return [
    ...(postgresUrl === undefined ? [] : [['PostgreSQL', freshDatabase] as const]),
    ...(hasRedis ? [['Redis', async () => (await ownRedis()).url] as const] : []),
    ['SQLite', async () => `sqlite:${join(await ownFolder(), 'primary.db')}`],
  ]
}

/** A server that ends with the test. */
export async function ownRedis(): Promise<RedisServer> {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  return server
}

export async function ownFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everthread-adapter-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Options of a process with a log of its own. Without a backup given it is a SQLite file. */
export async function optionsOf(primary: string, backup?: string): Promise<ChatHistoryOptions> {
  return {
    primary,
    backup: backup ?? `sqlite:${join(await ownFolder(), 'backup.db')}`,
    wal: { type: 'file', filePath: join(await ownFolder(), 'wal') },
    // Nothing is waited for that a dead server lacks.
    drainTimeout: 100,
  }
}

/** Closed when the test ends. */
export async function open(options: ChatHistoryOptions): Promise<ChatHistory> {
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return history
}

/** A process that runs a module of the tests. */
export interface Worker {
  /** The next line that it writes. */
  line(): Promise<string>
  write(line: string): void
  /** How it ended. */
  ended(): Promise<number | null>
}

/** Starts `test/integration/MODULE` with an argument of JSON. */
export function startWorker(module: string, argument: object): Worker {
  const path = fileURLToPath(new URL(`../integration/${module}`, import.meta.url))
  const child = spawn(process.execPath, [RUN, path, JSON.stringify(argument)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit') as Promise<[number | null]>
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    line: async () => {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`${module} ended before it said what it was asked`)
      return value
    },
    write: (line) => void child.stdin.write(`${line}\n`),
    ended: async () => (await ended)[0],
  }
}
