// Goal: what two processes did to the same conversations while each saw one database only is, once they see both, the
// same for both of them, and every list has each conversation where its record says.
import { expect, test } from 'vitest'
import { isStorageError, openChatHistory, type ChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'

const OWNERS = ['ann', 'bob', 'eve']
const SEEDS = Array.from({ length: 8 }, (_, seed) => seed)

type Random = (below: number) => number

function randomOf(seed: number): Random {
  let state = seed * 7_919 + 13
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
}

/** One call of one process; which of them are refused depends on what it sees. */
async function act(history: ChatHistory, random: Random): Promise<unknown> {
  const id = `c${random(3)}`
  const owner = OWNERS[random(OWNERS.length)]!
  const metadata = { [`k${random(3)}`]: random(9) }
  switch (random(7)) {
    case 0:
    case 1:
      return await history.createConversation(id, { title: `t${random(9)}`, owner, metadata })
    case 2:
      return await history.updateConversation(id, { owner: random(4) === 0 ? null : owner })
    case 3:
      return await history.updateConversation(id, { title: `u${random(9)}`, metadata })
    case 4:
      return await history.deleteConversation(id)
    case 5:
      return await history.fork(id, { as: `${id}-fork${random(2)}` })
    default:
      return await history.saveMessage(id, { role: 'user', content: 'x' })
  }
}

/** All that a process sees, after a look whether it fits together. */
async function seenBy(env: VirtualEnv, history: ChatHistory): Promise<unknown> {
  const { conversations: all } = await env.drive(history.listConversations({ limit: 100 }))
  const ids = (has: (one: (typeof all)[number]) => boolean): string[] =>
    all.flatMap((one) => (has(one) ? one.conversationId : [])).sort()
  const records = await Promise.all(
    all.map((one) => env.drive(history.getConversation(one.conversationId))),
  )
  expect(new Set(ids(() => true)).size).toBe(all.length)
  for (const orderBy of ['activity', 'created'] as const) {
    for (const owner of OWNERS) {
      const page = await env.drive(history.listConversations({ owner, orderBy }))
      const listed = page.conversations.map((one) => one.conversationId).sort()
      expect(listed).toEqual(ids((one) => one.owner === owner))
    }
  }
  const created = await env.drive(history.listConversations({ limit: 100, orderBy: 'created' }))
  const listed = created.conversations.map((one) => one.conversationId).sort()
  expect(listed).toEqual(ids((one) => one.createdAt !== undefined))
  return { all, records, created }
}

test.each(SEEDS)('records, lists and forks of two processes apart, seed %d', async (seed) => {
  const env = virtualEnv()
  const random = randomOf(seed)
  const stored = [new DurableMemoryBackend(env), new DurableMemoryBackend(env)] as const
  const process = async () => {
    const [primary, backup] = [faultyBackend(stored[0]), faultyBackend(stored[1])]
    const opened = openChatHistory({ env, primary, backup, wal: 'memory:' })
    return { primary, backup, history: await env.drive(opened) }
  }
  const [one, other] = [await process(), await process()]
  const actions = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const { history } = random(2) === 0 ? one : other
      await env.drive(act(history, random)).catch((error: unknown) => {
        if (!isStorageError(error)) throw error
      })
      await env.advance(random(300))
    }
  }
  for (let round = 0; round < 3; round++) {
    await actions(6)
    one.backup.setMode('refused')
    other.primary.setMode('refused')
    await actions(10)
    one.backup.setMode('up')
    other.primary.setMode('up')
    await env.advance(60_000)
    for (const { history } of [one, other]) await env.drive(history.flush())
    await env.drive(one.history.reconcile())
    await env.advance(60_000)
    expect(await seenBy(env, one.history)).toEqual(await seenBy(env, other.history))
  }
  for (const { history } of [one, other]) await env.drive(history.close())
})
