// Goal: a message history of LangChain keeps every field on servers.
// Method: random programs on it and on `InMemoryChatMessageHistory`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { EverthreadChatMessageHistory } from '../../src/adapters/langchain.ts'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { compareHistories } from '../support/langchain-suite.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

const SEED = Number(process.env['ADAPTER_SEED'] ?? 17)
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 2)

async function expectHistory(primary: ChatHistoryOptions['primary'] & {}): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-langchain-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const backup = `sqlite:${join(folder, 'backup.db')}`
  const history = await openChatHistory({ primary, backup, wal: `file:${join(folder, 'wal')}` })
  onTestFinished(() => history.close())
  expect(await compareHistories(history, RUNS, SEED)).toBeGreaterThan(RUNS)
  const messages = new EverthreadChatMessageHistory(history, { sessionId: 'together' })
  const names = Array.from({ length: 12 }, (_, i) => `${i}`)
  await Promise.all(names.map((name) => messages.addUserMessage(name)))
  const contents = (await messages.getMessages()).map(({ content }) => content)
  expect(new Set(contents)).toEqual(new Set(names))
  expect(contents).toHaveLength(names.length)
}

describePostgres('on PostgreSQL', () => {
  test('random programs end as in memory', async () => {
    await expectHistory({ type: 'postgresql', ...freshSchema() })
  })
})

describeRedis('on Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  test('random programs end as in memory', async () => {
    await expectHistory(server.url)
  })
})
