// Goal: forks keep what they share whoever clears it at the same moment, of two that create a conversation one does,
// and what is said of a fork, by its record, lists and searches, is what it shows.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { StorageConnectionError } from '../../src/core/errors.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { eventually } from '../../src/testing/eventually.ts'

async function open(): Promise<ChatHistory> {
  const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  onTestFinished(() => history.close())
  return history
}

test('a fork is counted as it is shown, with and without messages of its own', async () => {
  const history = await open()
  const texts = ['1', '2', '3']
  await history.saveMessages(
    'c',
    texts.map((id) => ({ id, role: 'user', content: id })),
  )
  await history.fork('c', { from: '2', as: 'fork' })
  expect(await history.getConversation('fork')).toMatchObject({ messageCount: 2 })
  await history.saveMessage('fork', { role: 'user', content: 'own' })
  expect(await history.getConversation('fork')).toMatchObject({ messageCount: 3 })
  const { conversations } = await history.listConversations({ countMessages: true })
  expect(conversations.map((each) => [each.conversationId, each.messageCount])).toEqual([
    ['fork', 3],
    ['c', 3],
  ])
})

test('a fork without a message of its own was active when the last message that it shares was written', async () => {
  const history = await open()
  const createdAt = '2020-05-01T09:00:00.000Z'
  await history.saveMessage('c', { id: 'm', role: 'user', content: 'old', createdAt })
  await history.fork('c', { as: 'fork' })
  expect(await history.getConversation('fork')).toMatchObject({ lastActivityAt: createdAt })
  const { conversations } = await history.listConversations()
  expect(conversations.map((each) => each.lastActivityAt)).toEqual([createdAt, createdAt])
})

test('with both databases out a clear is taken; of what is known to have forks it is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const place = (): FaultyBackend => faultyBackend(new DurableMemoryBackend(nodeEnv()))
  const places = { primary: place(), backup: place() }
  const openAt = async (name: string): Promise<ChatHistory> => {
    const history = await openChatHistory({ ...places, wal: `file:${join(folder, name)}` })
    onTestFinished(() => history.close())
    return history
  }
  const [one, other] = [await openAt('one'), await openAt('other')]
  for (const id of ['plain', 'c']) {
    await one.saveMessages(id, [{ id: 'm', role: 'user', content: 'Hello' }])
  }
  await one.fork('c', { as: 'fork' })
  expect((await other.listForks('c')).forks).toHaveLength(1)
  for (const each of [places.primary, places.backup]) each.setMode('refused')
  expect(await one.clearHistory('plain')).toMatchObject({ copies: ['wal'] })
  for (const each of [one, other]) {
    await expect(each.clearHistory('c')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      effect: 'none',
    })
  }
  for (const each of [places.primary, places.backup]) each.setMode('up')
  await eventually(async () => {
    expect((await one.getHistory('plain')).messages).toEqual([])
    expect((await one.getHistory('fork')).messages).toMatchObject([{ content: 'Hello' }])
  })
})

/** Processes on one pair of databases, and how each reaches them: primary and backup of the first, then of the next. */
async function processes(): Promise<{
  readonly open: () => Promise<ChatHistory>
  readonly places: readonly FaultyBackend[]
}> {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const stored = [new DurableMemoryBackend(nodeEnv()), new DurableMemoryBackend(nodeEnv())]
  const places: FaultyBackend[] = []
  const openOne = async (): Promise<ChatHistory> => {
    const [primary, backup] = stored.map(faultyBackend) as [FaultyBackend, FaultyBackend]
    const wal = `file:${join(folder, `log-${places.length}`)}`
    places.push(primary, backup)
    const history = await openChatHistory({ primary, backup, wal, logger: false })
    onTestFinished(() => history.close())
    return history
  }
  return { open: openOne, places }
}

function refuseReads(): void {
  throw new StorageConnectionError('memory', 'no reads')
}

test('a clear of a process that cannot read, but write, does not take what a fork shares', async () => {
  const { open: openOne, places } = await processes()
  const [one, other] = [await openOne(), await openOne()]
  await one.saveMessages('c', [{ id: 'm', role: 'user', content: 'Hello' }])
  await one.fork('c', { as: 'fork' })
  await one.flush()
  for (const each of places)
    each.onCall((call) => (call === 'readItems' ? refuseReads() : undefined))
  await expect(other.clearHistory('c')).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    effect: 'none',
  })
  for (const each of places) each.onCall(() => {})
  await one.flush()
  expect((await one.getHistory('fork')).messages).toMatchObject([{ content: 'Hello' }])
})

test('another answer of a message that is cleared and saved again meanwhile stands', async () => {
  const { open: openOne, places } = await processes()
  const [one, other] = [await openOne(), await openOne()]
  const save = (content: string) => other.saveMessages('c', [{ id: 'm', role: 'user', content }])
  await save('first')
  let isNoted = false
  let meanwhile: Promise<unknown> | undefined
  places[0]!.onCall(async (call) => {
    if (call === 'apply') isNoted = true
    else if (isNoted) await (meanwhile ??= other.clearHistory('c').then(() => save('second')))
  })
  await one.addAlternative('c', 'm', { role: 'assistant', content: 'another' })
  expect(meanwhile).toBeDefined()
  const { alternatives } = await other.listAlternatives('c', 'm')
  const shown = alternatives.map(({ message, active }) => [message.content, active])
  expect(shown).toEqual([
    ['second', false],
    ['another', true],
  ])
})

test('a fork that was made and could not be looked at does not say that it has no effect', async () => {
  const { open: openOne, places } = await processes()
  const one = await openOne()
  await one.saveMessages('c', [{ id: 'm', role: 'user', content: 'Hello' }])
  let isMade = false
  for (const each of places) {
    each.onCall((call) => {
      isMade ||= call === 'apply'
      if (isMade && call === 'readItems') refuseReads()
    })
  }
  await expect(one.fork('c', { as: 'fork' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    effect: 'unknown',
  })
  for (const each of places) each.onCall(() => {})
  expect(await one.fork('c', { as: 'fork' })).toMatchObject({ messageId: 'm' })
  expect((await one.getHistory('fork')).messages).toMatchObject([{ content: 'Hello' }])
})

describe('two processes on one database', () => {
  async function two(): Promise<readonly [ChatHistory, ChatHistory]> {
    const folder = await mkdtemp(join(tmpdir(), 'everthread-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const place = (name: string) => ({ type: 'sqlite', path: join(folder, name) }) as const
    const places = { primary: place('primary.db'), backup: place('backup.db') }
    const open = async (): Promise<ChatHistory> => {
      const history = await openChatHistory({ ...places, wal: 'memory:' })
      onTestFinished(() => history.close())
      return history
    }
    return [await open(), await open()]
  }

  test.each(['clearHistory', 'deleteConversation'] as const)(
    'a fork that is acknowledged while another one calls %s keeps what it shares',
    async (call) => {
      const [one, other] = await two()
      for (let i = 0; i < 40; i++) {
        const id = `c${i}`
        await one.saveMessage(id, { id: 'm', role: 'user', content: 'shared' })
        const [fork] = await Promise.allSettled([
          pause(i % 4).then(() => one.fork(id, { as: `${id}-fork` })),
          pause((i >> 2) % 4).then(() => other[call](id)),
        ])
        const { messages } = await other.getHistory(`${id}-fork`)
        expect(messages).toHaveLength(fork.status === 'fulfilled' ? 1 : 0)
      }
    },
  )

  test('of two that create a conversation with different fields one does', async () => {
    const [one, other] = await two()
    for (let i = 0; i < 20; i++) {
      const fields = [
        { title: 'A', owner: 'ann', metadata: { a: 1 } },
        { title: 'B', owner: 'bob', metadata: { b: 1 } },
      ] as const
      const made = await Promise.allSettled([
        one.createConversation(`c${i}`, fields[0]),
        other.createConversation(`c${i}`, fields[1]),
      ])
      const winners = fields.filter((_, n) => made[n]!.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      expect(await one.getConversation(`c${i}`)).toMatchObject(winners[0]!)
      const refused = made.find(({ status }) => status === 'rejected')
      expect(refused).toMatchObject({ reason: { code: 'CONFLICT' } })
    }
    const counts = await Promise.all(
      ['ann', 'bob'].map((owner) => one.countConversations({ owner })),
    )
    expect(counts[0]! + counts[1]!).toBe(20)
    const same = [one, other].map((each) => each.createConversation('same', { title: 'same' }))
    await Promise.all(same)
  })
})

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
