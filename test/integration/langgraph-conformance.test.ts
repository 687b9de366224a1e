// Goal: savers of LangGraph on this store do what the framework asks of a saver, on each engine, and while the
// primary is killed and started again.
// Method: the framework's own suite. The kills come at certain tests, in the middle of what those do.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { checkpointerSuite, SUITE_LENGTH } from '../support/checkpointer-suite.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

type Primary = NonNullable<ChatHistoryOptions['primary']>

/** The suite on a history with a SQLite backup and a log in files, which is returned once it is open. */
function suiteOn(name: string, primary: (directory: string) => Primary): () => ChatHistory {
  let directory: string
  let history: ChatHistory
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'everthread-langgraph-'))
    history = await openChatHistory({
      primary: primary(directory),
      backup: `sqlite:${join(directory, 'backup.db')}`,
      wal: `file:${join(directory, 'wal')}`,
    })
  })
  afterAll(async () => {
    await history.close()
    await rm(directory, { recursive: true, force: true })
  })
  checkpointerSuite(name, () => history)
  return () => history
}

describe('SQLite', () => {
  suiteOn('sqlite', (directory) => `sqlite:${join(directory, 'primary.db')}`)
})

describePostgres('PostgreSQL', () => {
  suiteOn('postgresql', () => ({ type: 'postgresql', ...freshSchema() }))
})

describeRedis('Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())
  suiteOn('redis', () => server.url)
})

describePostgres('PostgreSQL that is killed', () => {
  /** At which test of the suite the server is killed, and at which it is started again. */
  const KILLS = [3, 25, 55, 300, SUITE_LENGTH - 6]
  const STARTS = [12, 40, 120, 500]
  /** The removal of a thread is refused while a database may have more of it than the other. */
  const REMOVAL = SUITE_LENGTH - 8
  let server: PostgresServer
  let killed: Promise<void> | undefined
  let tests = 0
  let kills = 0
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    tests++
    if (KILLS.includes(tests)) {
      // Not awaited: what the test is doing is cut off.
      killed = server.kill()
      kills++
    }
    if (STARTS.includes(tests)) {
      await killed
      await server.restart()
    }
    if (tests === REMOVAL) {
      const isComplete = async (): Promise<boolean> =>
        (await history().store.listKeys({ prefix: 'adapter/', limit: 1 })).complete
      await expect.poll(isComplete).toBe(true)
    }
  })
  const history = suiteOn('killed', () => server.url)

  test('it was killed while the suite ran', () => {
    expect(tests).toBe(SUITE_LENGTH + 1)
    expect(kills).toBe(KILLS.length)
  })
})
