// Goal: forks, cuts and alternatives are the same on every engine as in the model.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { branchesSuite } from '../support/branches-suite.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

let scratch = ''
let count = 0
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'everthread-branches-'))
})
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true })
})

async function open(options: ChatHistoryOptions): Promise<ChatHistory> {
  count++
  const history = await openChatHistory({
    backup: `sqlite:${join(scratch, `backup-${count}.db`)}`,
    wal: `file:${join(scratch, `wal-${count}`)}`,
    ...options,
  })
  onTestFinished(() => history.close())
  return history
}

branchesSuite({
  name: 'SQLite',
  open: () => open({ primary: `sqlite:${join(scratch, `primary-${count}.db`)}` }),
  seeds: [21, 22],
  steps: 40,
})

describePostgres('on PostgreSQL', () => {
  branchesSuite({
    name: 'PostgreSQL, read by failover',
    open: () => open({ primary: { type: 'postgresql', ...freshSchema() }, read: 'failover' }),
    seeds: [31, 32],
    steps: 40,
  })
})

describeRedis('on Redis', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis?.stop())

  branchesSuite({
    name: 'Redis, with the shared log and a cache',
    open: () => {
      const keyPrefix = `test-${randomBytes(6).toString('hex')}:`
      return open({
        primary: { type: 'redis', url: redis.url, keyPrefix },
        wal: { type: 'redis-stream', url: redis.url, keyPrefix: `${keyPrefix}wal:` },
      })
    },
    seeds: [41, 42],
    steps: 40,
  })
})
