// Goal: VoltAgent's storage and ADK's sessions keep what they promise on PostgreSQL, with one connection too, on Redis, and while
// the primary is killed and restarted. Method: many calls at once through two processes' histories.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { EverthreadStorage } from '../../src/adapters/voltagent.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { adkEvent } from '../support/adk-events.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { describeRedis, startRedis } from '../support/redis-server.ts'

vi.mock('@google/adk', async () => await import('../support/adk-base.ts'))
const { EverthreadSessionService } = await import('../../src/adapters/adk.ts')

const PLACE = { appName: 'app', userId: 'ann', sessionId: 's' }
/** Calls at once of each process. */
const MANY = Number(process.env['ADAPTER_CALLS'] ?? 5)
const TEXT = 'NUL \0, lone \ud800, 漢字'

async function two(options: ChatHistoryOptions): Promise<readonly ChatHistory[]> {
  const histories = [await openChatHistory(options), await openChatHistory(options)]
  onTestFinished(async () => {
    for (const history of histories) await history.close()
  })
  return histories
}

async function voltAgent(histories: readonly ChatHistory[]): Promise<void> {
  const storages = histories.map((history) => new EverthreadStorage(history))
  const created = { id: 'c', userId: 'ann', resourceId: 'a', title: TEXT, metadata: { TEXT } }
  await storages[0]!.createConversation(created)
  const createdAt = new Date()
  const state = {
    id: 'r',
    workflowId: 'w',
    status: 'running',
    createdAt,
    updatedAt: createdAt,
  } as const
  await storages[0]!.setWorkflowState('r', state)
  await Promise.all(
    storages.flatMap((storage, n) =>
      Array.from({ length: MANY }, async (_, i) => {
        const parts = [{ type: 'text', text: `${TEXT} ${i}` }]
        await storage.addMessage({ id: `${n}-${i}`, role: 'user', parts }, 'ann', 'c')
        await storage.updateWorkflowState('r', { [`f${n}-${i}`]: i })
      }),
    ),
  )
  for (const storage of storages) {
    const messages = await storage.getMessages('ann', 'c')
    expect(messages).toHaveLength(2 * MANY)
    expect(messages.every(({ parts }) => JSON.stringify(parts).includes('\\ud800'))).toBe(true)
    const run = await storage.getWorkflowState<object>('r')
    expect(Object.keys(run!).filter((name) => name.startsWith('f'))).toHaveLength(2 * MANY)
    expect(await storage.getConversation('c')).toMatchObject(created)
  }
  await storages[1]!.deleteMessages(['0-0'], 'ann', 'c')
  await storages[1]!.addMessage({ id: '0-0', role: 'user', parts: [] }, 'ann', 'c')
  expect((await storages[0]!.getMessages('ann', 'c', { limit: 1 }))[0]).toMatchObject({
    id: '0-0',
    parts: [],
  })
  await storages[0]!.clearMessages('ann')
  expect(await storages[1]!.getMessages('ann', 'c')).toEqual([])
}

async function adk(histories: readonly ChatHistory[]): Promise<void> {
  const services = histories.map((history) => new EverthreadSessionService(history))
  const sessions = await Promise.all(services.map((service) => service.getOrCreateSession(PLACE)))
  await Promise.all(
    services.map(async (service, n) => {
      for (let i = 0; i < MANY; i++) {
        const delta = { [`of${n}`]: i, [TEXT]: TEXT, 'app:both': n }
        await service.appendEvent({ session: sessions[n]!, event: adkEvent(`${n}-${i}`, delta) })
      }
    }),
  )
  const session = (await services[0]!.getSession(PLACE))!
  expect(session.events).toHaveLength(2 * MANY)
  expect(session.state).toMatchObject({ of0: MANY - 1, of1: MANY - 1, [TEXT]: TEXT })
  expect(session.state['app:both']).toBe(Number(session.events.at(-1)!.id[0]))
  await services[1]!.deleteSession(PLACE)
  expect(await services[0]!.getSession(PLACE)).toBeUndefined()
}

describePostgres('on PostgreSQL', () => {
  test('with one connection all calls at once come to their end', async () => {
    const primary = { type: 'postgresql', ...freshSchema(), maxConnections: 1 } as const
    const histories = await two({ primary, backup: 'memory:', wal: 'memory:' })
    await voltAgent(histories)
    await adk(histories)
  })

  test('while the primary is killed nothing is lost, and it has all of it afterwards', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const folder = mkdtempSync(join(tmpdir(), 'everthread-adapters-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const backup = `sqlite:${folder}/backup.db`
    const [history] = await two({ primary: server.url, backup, wal: 'memory:', logger: false })
    const storage = new EverthreadStorage(history!)
    const service = new EverthreadSessionService(history!)
    await storage.createConversation({
      id: 'c',
      userId: 'ann',
      resourceId: 'a',
      title: 't',
      metadata: {},
    })
    const session = await service.createSession(PLACE)
    for (let i = 0; i < 6; i++) {
      if (i === 2) await server.kill()
      if (i === 4) await server.restart()
      await storage.addMessage({ id: `m${i}`, role: 'user', parts: [] }, 'ann', 'c')
      await service.appendEvent({ session, event: adkEvent(`e${i}`, { n: i }) })
      expect(await storage.getMessages('ann', 'c')).toHaveLength(i + 1)
      expect((await service.getSession(PLACE))!.events).toHaveLength(i + 1)
    }
    await history!.flush()
    await using alone = await openChatHistory({
      primary: server.url,
      wal: 'memory:',
      logger: false,
    })
    expect(await new EverthreadStorage(alone).getMessages('ann', 'c')).toHaveLength(6)
    const kept = await new EverthreadSessionService(alone).getSession(PLACE)
    expect(kept).toMatchObject({ state: { n: 5 }, events: { length: 6 } })
  })
})

describeRedis('on Redis', () => {
  test('all calls at once come to their end', async () => {
    const server = await startRedis()
    onTestFinished(() => server.stop())
    const histories = await two({ primary: server.url, backup: 'memory:', wal: 'memory:' })
    await voltAgent(histories)
    await adk(histories)
  })
})
