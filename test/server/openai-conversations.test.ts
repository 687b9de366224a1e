// Goal: the unmodified client of OpenAI, and the session of its Agents SDK, keep conversations here as they do at the
// original. Method: both ask a server of this process over HTTP; random calls are compared with `MemorySession`.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { MemorySession, type AgentInputItem } from '@openai/agents-core'
import { OpenAIConversationsSession } from '@openai/agents-openai'
import fc from 'fast-check'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { createHandler, type Handler } from '../../src/server/index.ts'

let history: ChatHistory
let server: Server
let client: OpenAI
let handler: Handler
/** Requests that are answered with this in their turn, before or after the handler has had them. */
const faults: { status: number; isSaved: boolean }[] = []

beforeEach(async () => {
  history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  handler = createHandler(history, { auth: 'none' })
  const answer: Handler = async (request) => {
    const fault = faults.shift()
    if (fault === undefined) return await handler(request)
    if (fault.isSaved) await handler(request)
    return new Response('{"error":{"message":"broken"}}', { status: fault.status })
  }
  const listener = getRequestListener(answer, { overrideGlobalObjects: false })
  server = createServer((request, response) => void listener(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  client = new OpenAI({ apiKey: 'any', baseURL: `http://127.0.0.1:${port}/v1` })
})
afterEach(async () => {
  faults.length = 0
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await history.close()
})

function user(text: string): { role: 'user'; content: string } {
  return { role: 'user', content: text }
}

describe('the client of OpenAI', () => {
  test('creates, reads, changes and deletes a conversation', async () => {
    const metadata = { topic: 'Rome', constructor: 'x' }
    const made = await client.conversations.create({ metadata })
    expect(made).toMatchObject({ object: 'conversation', metadata })
    expect(made.id).toMatch(/^conv_/)
    expect(Math.abs(made.created_at - Date.now() / 1_000)).toBeLessThan(60)
    expect(await client.conversations.retrieve(made.id)).toEqual(made)
    const changed = await client.conversations.update(made.id, { metadata: { city: 'Oslo' } })
    expect(changed.metadata).toEqual({ city: 'Oslo' })
    expect(await client.conversations.delete(made.id)).toEqual({
      id: made.id,
      object: 'conversation.deleted',
      deleted: true,
    })
    await expect(client.conversations.retrieve(made.id)).rejects.toMatchObject({ status: 404 })
  })

  test('pages over a thousand items, both ways, and misses none', async () => {
    const { id } = await client.conversations.create({})
    const all = Array.from({ length: 1_030 }, (_, i) => user(`message ${i}`))
    const saved: string[] = []
    for (const part of [all.slice(0, 1_000), all.slice(1_000)]) {
      const { data } = await client.conversations.items.create(id, { items: part })
      saved.push(...data.map((item) => item.id!))
    }
    for (const order of ['asc', 'desc'] as const) {
      const ids: string[] = []
      for await (const item of client.conversations.items.list(id, { order, limit: 100 })) {
        ids.push(item.id!)
      }
      expect(ids).toEqual(order === 'asc' ? saved : saved.toReversed())
    }
    const latest = await client.conversations.items.list(id)
    expect([latest.data.length, latest.has_more]).toEqual([20, true])
    expect(latest.data[0]!.id).toBe(saved.at(-1))
  })

  test('keeps every field of items of any type', async () => {
    const { id } = await client.conversations.create({ items: [user('first')] })
    const items = [
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x\u0000\ud800' },
      { type: 'function_call', call_id: 'c1', name: 'find', arguments: '{"a":1}' },
      { type: 'function_call_output', call_id: 'c1', output: [{ type: 'input_text', text: '🙂' }] },
      { type: 'of_the_future', deep: { list: [1, null, { x: 'y' }] } },
    ]
    const { data } = await client.conversations.items.create(id, { items: items as never })
    expect(data).toMatchObject(items)
    const page = await client.conversations.items.list(id, { order: 'asc' })
    expect(page.data[0]).toMatchObject({
      type: 'message',
      role: 'user',
      status: 'completed',
      content: [{ type: 'input_text', text: 'first' }],
    })
    expect(page.data.slice(1)).toEqual(data)
    const one = await client.conversations.items.retrieve('rs_1', { conversation_id: id })
    expect(one).toEqual(items[0])
    const left = await client.conversations.items.delete('rs_1', { conversation_id: id })
    expect(left).toMatchObject({ id, object: 'conversation' })
    const gone = client.conversations.items.retrieve('rs_1', { conversation_id: id })
    await expect(gone).rejects.toMatchObject({ status: 404 })
  })

  test.each([true, false])(
    'repeats without saving twice; the first was saved: %s',
    async (isSaved) => {
      const { id } = await client.conversations.create({})
      for (let i = 0; i < 2; i++)
        await client.conversations.items.create(id, { items: [user('yes')] })
      faults.push({ status: 503, isSaved }, { status: 500, isSaved })
      const { data } = await client.conversations.items.create(id, {
        items: [user('yes'), user('yes')],
      })
      const page = await client.conversations.items.list(id, { order: 'asc' })
      // Those that were asked for twice on purpose are four.
      expect(page.data).toHaveLength(4)
      expect(page.data.slice(2)).toEqual(data)
    },
  )

  test('is told of errors in its own shape, and repeats no conflict', async () => {
    const { id } = await client.conversations.create({
      items: [{ id: 'mine', ...user('one') }] as never,
    })
    let requests = 0
    const counting = new OpenAI({
      apiKey: 'any',
      baseURL: client.baseURL,
      fetch: async (...args) => {
        requests++
        return await fetch(...args)
      },
    })
    const other = counting.conversations.items.create(id, {
      items: [{ id: 'mine', ...user('two') }] as never,
    })
    await expect(other).rejects.toMatchObject({ status: 409, code: 'conflict' })
    expect(requests).toBe(1)
    const wrong = client.conversations.create({ metadata: { a: 'x'.repeat(513) } })
    await expect(wrong).rejects.toMatchObject({ status: 400, param: 'metadata.a' })
    const refused = await Promise.allSettled([
      client.conversations.items.list('conv_nobody'),
      client.conversations.items.create('conv_nobody', { items: [user('x')] }),
      client.conversations.items.list(id, { after: 'nobody' }),
      client.conversations.update('conv_nobody', { metadata: {} }),
      client.conversations.delete('conv_nobody'),
    ])
    for (const one of refused) expect(one).toMatchObject({ reason: { status: 404 } })
  })

  test('ids with slashes and percent signs are decoded once', async () => {
    const name = 'a/b%2Fc?d'
    await history.saveMessage(name, { id: 'm/1', role: 'user', content: 'hello' })
    const { data } = await client.conversations.items.list(name)
    expect(data).toEqual([
      {
        id: 'm/1',
        type: 'message',
        role: 'user',
        status: 'completed',
        content: [{ type: 'input_text', text: 'hello' }],
      },
    ])
    const one = await client.conversations.items.retrieve('m/1', { conversation_id: name })
    expect(one).toEqual(data[0])
  })
})

describe('the session of the Agents SDK', () => {
  const item = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 20 })
    .map((text) => ({ role: 'user', content: [{ type: 'input_text', text }] }) as AgentInputItem)
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      items: fc.array(item, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant('pop' as const) }),
    fc.record({
      kind: fc.constant('get' as const),
      limit: fc.option(fc.integer({ min: 1, max: 6 })),
    }),
    fc.record({ kind: fc.constant('clear' as const) }),
  )

  test('answers as the one in memory', { timeout: 120_000 }, async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const ours = new OpenAIConversationsSession({ client: client as never })
      const memory = new MemorySession()
      const plain = (items: readonly AgentInputItem[]): unknown[] => items.map(textsOf)
      for (const one of steps) {
        switch (one.kind) {
          case 'add':
            await ours.addItems(one.items)
            await memory.addItems(one.items)
            break
          case 'pop': {
            const [a, b] = [await ours.popItem(), await memory.popItem()]
            expect(a && textsOf(a)).toEqual(b && textsOf(b))
            break
          }
          case 'get': {
            const limit = one.limit ?? undefined
            expect(plain(await ours.getItems(limit))).toEqual(plain(await memory.getItems(limit)))
            break
          }
          case 'clear':
            await ours.clearSession()
            await memory.clearSession()
        }
      }
      expect(plain(await ours.getItems())).toEqual(plain(await memory.getItems()))
    })
    await fc.assert(property, { numRuns: 40 })
  })

  function textsOf(given: AgentInputItem): unknown {
    const { role, content } = given as { role: string; content: readonly { text: string }[] }
    return [role, content.map(({ text }) => text)]
  }
})
