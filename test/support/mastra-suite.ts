/* What the Mastra adapter promises on every database, without Mastra itself. */
import type { MastraDBMessage, StorageThreadType } from '@mastra/core/memory'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EverthreadMemory } from '../../src/adapters/mastra.ts'
import type { ChatHistory } from '../../src/chat/chat-history.ts'
import type { ItemsQuery } from '../../src/strategy/read/read-port.ts'

const START = Date.parse('2026-01-01T00:00:00Z')

type Parts = MastraDBMessage['content']['parts']

function textPart(text: string): Parts[number] & { text: string } {
  return { type: 'text', text }
}

/** A time of its own for each number. */
export function at(seconds: number): Date {
  return new Date(START + seconds * 1_000)
}

export function threadOf(id: string, more: Partial<StorageThreadType> = {}): StorageThreadType {
  return { id, resourceId: 'ann', createdAt: at(0), updatedAt: at(0), metadata: {}, ...more }
}

export function messageOf(
  id: string,
  threadId: string,
  seconds: number,
  more: Partial<MastraDBMessage> = {},
): MastraDBMessage {
  const parts: Parts = [textPart(`I am ${id}`)]
  const own = { id, threadId, role: 'user', createdAt: at(seconds), resourceId: 'ann' } as const
  return { ...own, content: { format: 2, parts }, ...more }
}

export function idsOf({ messages }: { messages: readonly { id: string }[] }): string[] {
  return messages.map(({ id }) => id)
}

/**
 * @param memoryOf The class comes from the file that has Mastra's base class replaced.
 * @param many How many there are in the test of a list.
 */
export function mastraSuite(
  open: () => Promise<ChatHistory>,
  memoryOf: (history: ChatHistory) => EverthreadMemory,
  many = 45,
): void {
  let root: ChatHistory
  beforeAll(async () => {
    root = await open()
  })
  afterAll(async () => {
    await root.close()
  })

  /** The conversations of a tenant of its own, and Mastra's memory in them. */
  function fresh(): { history: ChatHistory; memory: EverthreadMemory } {
    const history = root.forTenant(`t-${randomBytes(6).toString('hex')}`)
    return { history, memory: memoryOf(history) }
  }

  async function filled(
    count: number,
  ): Promise<{ history: ChatHistory; memory: EverthreadMemory }> {
    const { history, memory } = fresh()
    await memory.saveThread({ thread: threadOf('t1') })
    const messages = Array.from({ length: count }, (_, i) => messageOf(`m${i}`, 't1', i))
    await memory.saveMessages({ messages })
    return { history, memory }
  }

  describe('threads', () => {
    test('of 20 updates at once no key is lost', async () => {
      const { memory } = fresh()
      await memory.saveThread({ thread: threadOf('t1', { title: 'A title' }) })
      const names = Array.from({ length: 20 }, (_, i) => `key${i}`)
      await Promise.all(
        names.map((name) => memory.updateThread({ id: 't1', metadata: { [name]: name } })),
      )
      const thread = await memory.getThreadById({ threadId: 't1' })
      expect(Object.keys(thread!.metadata!).sort()).toEqual([...names].sort())
      expect(thread!.title).toBe('A title')
    })

    test('a list of 20 of many reads 20 threads', async () => {
      const { history, memory } = fresh()
      const ids = Array.from({ length: many }, (_, i) => `t${i}`)
      for (let i = 0; i < ids.length; i += 25) {
        const some = ids.slice(i, i + 25)
        await Promise.all(
          some.map((id, j) => {
            const time = at(i + j)
            return memory.saveThread({
              thread: threadOf(id, { createdAt: time, updatedAt: time }),
            })
          }),
        )
      }
      await memory.updateThread({ id: 't7', title: 'changed' })
      for (const field of ['createdAt', 'updatedAt'] as const) {
        const reads = countItems(history)
        const page = await memory.listThreads({
          filter: { resourceId: 'ann' },
          perPage: 20,
          page: 1,
          orderBy: { field, direction: 'DESC' },
        })
        expect(page).toMatchObject({ total: many, hasMore: true, page: 1, perPage: 20 })
        const first = field === 'createdAt' ? `t${many - 21}` : `t${many - 20}`
        expect(page.threads.map(({ id }) => id)).toHaveLength(20)
        expect(page.threads[0]!.id).toBe(first)
        // 40 entries of the list, and of each thread the five fields that it has at most.
        expect(reads.stop()).toBeLessThan(40 + 40 * 5 + 1)
      }
      const latest = { filter: { resourceId: 'ann' }, perPage: 1 }
      const { threads } = await memory.listThreads({ ...latest, orderBy: { field: 'updatedAt' } })
      expect(threads).toMatchObject([{ id: 't7', title: 'changed' }])
    })

    test('titles and metadata of any kind come back as they were', async () => {
      const { memory } = fresh()
      const titles = [undefined, '', 'cut \ud83d', 'NUL \0', '\0', 'x'.repeat(5_000), '日本語 😀']
      const values = { a: null, b: { c: [null, '\0\ud83d'] }, d: { 'mastra:value': 1 }, e: '' }
      for (const title of titles) {
        const own = title === undefined ? {} : { title }
        await memory.saveThread({ thread: threadOf('t1', { ...own, metadata: values }) })
        const found = await memory.getThreadById({ threadId: 't1' })
        expect(found).toEqual(
          threadOf('t1', { ...own, metadata: values, updatedAt: found!.updatedAt }),
        )
      }
      await memory.updateThread({ id: 't1', metadata: { a: 1 } })
      await memory.saveThread({ thread: threadOf('t1', { metadata: { f: new Date(0) } }) })
      const { metadata } = (await memory.getThreadById({ threadId: 't1' }))!
      expect(metadata).toEqual({ f: '1970-01-01T00:00:00.000Z' })
    })

    test('a thread of another resource is not shown, nor its messages (mastra#13931, #18911, #21863)', async () => {
      const { memory } = await filled(3)
      await memory.saveThread({ thread: threadOf('t2', { resourceId: 'bob' }) })
      expect(await memory.getThreadById({ threadId: 't1', resourceId: 'bob' })).toBeNull()
      const of = { resourceId: 'bob' }
      expect((await memory.listThreads({ filter: of })).threads).toMatchObject([{ id: 't2' }])
      const include = [{ id: 'm1', threadId: 't1', withPreviousMessages: 1 }]
      expect(await memory.listMessages({ threadId: 't1', ...of, include })).toMatchObject({
        messages: [],
        total: 0,
      })
      const another = fresh().memory
      expect(await another.getThreadById({ threadId: 't1' })).toBeNull()
      expect(await another.listMessagesById({ messageIds: ['m1'] })).toEqual({ messages: [] })
      expect((await another.listThreads({})).threads).toEqual([])
    })

    test('a thread is deleted with its messages, and its name and their ids may be used again', async () => {
      const { history, memory } = await filled(5)
      await memory.deleteThread({ threadId: 't1' })
      expect(await memory.getThreadById({ threadId: 't1' })).toBeNull()
      expect(await memory.listMessagesById({ messageIds: ['m0', 'm4'] })).toEqual({ messages: [] })
      expect(await memory.listThreads({})).toMatchObject({ total: 0, threads: [] })
      expect((await history.store.listKeys({ prefix: 'listed/', limit: 1_000 })).keys).toEqual(
        (await history.store.listKeys({ prefix: 'listed/', limit: 1_000 })).keys.filter(
          (key) => !key.includes(`${history.tenant}:mastra/m/`),
        ),
      )
      await memory.saveThread({ thread: threadOf('t1') })
      await memory.saveMessages({ messages: [messageOf('m4', 't1', 9)] })
      expect(idsOf(await memory.listMessages({ threadId: 't1' }))).toEqual(['m4'])
    })

    test('a thread goes to another resource with its messages', async () => {
      const { memory } = await filled(3)
      await memory.saveMessages({ messages: [messageOf('x', 't1', 9, { resourceId: 'zoe' })] })
      const of = { threadId: 't1', resourceId: 'bob' }
      expect((await memory.updateThreadResourceId(of)).resourceId).toBe('bob')
      expect((await memory.listMessages(of)).total).toBe(4)
      expect((await memory.listMessages({ ...of, resourceId: 'ann' })).total).toBe(0)
      expect((await memory.listThreads({ filter: { resourceId: 'ann' } })).total).toBe(0)
    })
  })

  describe('messages', () => {
    test('a save into a thread that was not saved is an error, and nothing is saved (mastra#16086, #10848)', async () => {
      const { history, memory } = await filled(1)
      const both = [messageOf('a', 't1', 1), messageOf('b', 'none', 2)]
      await expect(memory.saveMessages({ messages: both })).rejects.toMatchObject({
        code: 'NOT_FOUND',
        effect: 'none',
        message: 'thread "none" not found',
      })
      expect(idsOf(await history.getHistory('t1'))).toEqual(['m0'])
      await memory.saveThread({ thread: threadOf('none') })
      await memory.saveMessages({ messages: both })
      const all = await memory.listMessages({ threadId: ['t1', 'none'] })
      expect(idsOf(all)).toEqual(['m0', 'a', 'b'])
    })

    test('a message of another thread stays there', async () => {
      const { memory } = await filled(2)
      await memory.saveThread({ thread: threadOf('t2', { resourceId: 'bob' }) })
      const stolen = messageOf('m1', 't2', 9, { resourceId: 'bob' })
      const messages = [messageOf('new', 't2', 8), stolen]
      await expect(memory.saveMessages({ messages })).rejects.toMatchObject({
        code: 'CONFLICT',
        effect: 'none',
      })
      expect(idsOf(await memory.listMessages({ threadId: 't1' }))).toEqual(['m0', 'm1'])
      expect(idsOf(await memory.listMessages({ threadId: 't2' }))).toEqual([])
      const ids = { messageIds: ['m1', 'new'] }
      expect(await memory.listMessagesById(ids)).toMatchObject({ messages: [{ threadId: 't1' }] })
    })

    test('of two threads that save one id at once one has it', async () => {
      const { memory } = fresh()
      await memory.saveThread({ thread: threadOf('t1') })
      await memory.saveThread({ thread: threadOf('t2') })
      const saves = ['t1', 't2'].map((id) => {
        return memory.saveMessages({ messages: [messageOf('m', id, 1)] })
      })
      const outcomes = await Promise.allSettled(saves)
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      expect(idsOf(await memory.listMessages({ threadId: ['t1', 't2'] }))).toEqual(['m'])
    })

    test('one that is saved again is there once, where it was (mastra#9370, #13089)', async () => {
      const { memory } = await filled(4)
      const parts: Parts = [textPart('more')]
      const longer = messageOf('m1', 't1', 1, { content: { format: 2, parts } })
      await memory.saveMessages({ messages: [longer, longer, messageOf('m9', 't1', 9)] })
      const { messages, total } = await memory.listMessages({ threadId: 't1' })
      expect(idsOf({ messages })).toEqual(['m0', 'm1', 'm2', 'm3', 'm9'])
      expect(total).toBe(5)
      expect(messages[1]!.content.parts).toEqual(parts)
    })

    test('equal times keep their order, forwards and backwards (mastra#3735, #10683)', async () => {
      const { memory } = fresh()
      await memory.saveThread({ thread: threadOf('t1') })
      const ids = Array.from({ length: 15 }, (_, i) => `m${i}`)
      for (const id of ids) await memory.saveMessages({ messages: [messageOf(id, 't1', 5)] })
      await memory.saveMessages({ messages: [messageOf('m7', 't1', 5)] })
      const of = { threadId: 't1', perPage: 5 } as const
      const latest = { field: 'createdAt', direction: 'DESC' } as const
      expect(idsOf(await memory.listMessages({ ...of, orderBy: latest }))).toEqual(
        ids.toReversed().slice(0, 5),
      )
      expect(idsOf(await memory.listMessages({ threadId: 't1' }))).toEqual(ids)
    })

    test('of 50 saves at once none is lost', async () => {
      const { memory } = fresh()
      await memory.saveThread({ thread: threadOf('t1') })
      const ids = Array.from({ length: 50 }, (_, i) => `m${i}`)
      await Promise.all(
        ids.map((id, i) => memory.saveMessages({ messages: [messageOf(id, 't1', i)] })),
      )
      expect(idsOf(await memory.listMessages({ threadId: 't1', perPage: false }))).toEqual(ids)
    })

    test('the latest of many are read without the others', async () => {
      const { history, memory } = await filled(320)
      const reads = countItems(history)
      const { messages, hasMore } = await memory.listMessages({
        threadId: 't1',
        resourceId: 'ann',
        perPage: 10,
        orderBy: { field: 'createdAt', direction: 'DESC' },
        includeTotal: false,
        include: [{ id: 'm30', withPreviousMessages: 1, withNextMessages: 1 }],
      })
      expect(messages).toHaveLength(13)
      expect(hasMore).toBe(true)
      expect(reads.stop()).toBeLessThan(80)
    })

    test('a message that was saved late stands where its time says', async () => {
      const { memory } = await filled(5)
      await memory.saveMessages({ messages: [messageOf('late', 't1', 2.5)] })
      const all = ['m0', 'm1', 'm2', 'late', 'm3', 'm4']
      expect(idsOf(await memory.listMessages({ threadId: 't1' }))).toEqual(all)
      const dateRange = { start: at(2), end: at(3), endExclusive: true }
      const filter = { dateRange }
      expect(await memory.listMessages({ threadId: 't1', filter })).toMatchObject({ total: 2 })
    })

    test('messages of ours and of Mastra stand side by side, with any text', async () => {
      const { history, memory } = await filled(1)
      const text = 'NUL \0, half \ud83d, 日本語, __proto__'
      const tool = { toolCallId: 'c1', toolName: 'look', args: {}, state: 'result', result: null }
      const parts = [
        { type: 'text', text },
        { type: 'tool-invocation', toolInvocation: tool },
      ]
      const content = JSON.parse(
        JSON.stringify({ format: 2, parts, content: text, metadata: { ['__proto__']: text } }),
      ) as MastraDBMessage['content']
      const answer = messageOf('a1', 't1', 1, { role: 'assistant', type: 'v2', content })
      const signal = messageOf('s1', 't1', 2, { role: 'signal', content })
      await memory.saveMessages({ messages: [answer, signal] })
      await history.saveMessage('t1', { id: 'n1', role: 'user', content: text })

      const { messages } = await memory.listMessages({ threadId: 't1' })
      expect(messages.slice(1, 3)).toEqual([answer, signal])
      expect(messages[3]).toMatchObject({
        id: 'n1',
        role: 'user',
        resourceId: 'ann',
        threadId: 't1',
        content: { format: 2, parts: [{ type: 'text', text }] },
      })
      const page = await history.getHistory('t1')
      expect(page.messages).toMatchObject([
        { id: 'm0', role: 'user', parts: [{ text: 'I am m0' }] },
        { id: 'a1', role: 'assistant', parts },
        { id: 's1', type: 'signal', parts },
        { id: 'n1', role: 'user', content: text },
      ])
      const conversation = await history.getConversation('t1')
      expect(conversation).toMatchObject({ owner: 'ann', messageCount: 4 })
    })

    test('what changes at once meets in one message', async () => {
      const { memory } = await filled(2)
      const names = Array.from({ length: 8 }, (_, i) => `key${i}`)
      await Promise.all(
        names.map((name) => {
          return memory.updateMessages({
            messages: [{ id: 'm1', content: { metadata: { [name]: 1 } } }],
          })
        }),
      )
      const { messages } = await memory.listMessagesById({ messageIds: ['m1'] })
      expect(Object.keys(messages[0]!.content.metadata!).sort()).toEqual(names)
    })

    test('a removed message does not answer, and its id stays taken in its thread', async () => {
      const { history, memory } = await filled(3)
      await memory.deleteMessages(['m1', 'unknown'])
      expect(idsOf(await memory.listMessages({ threadId: 't1' }))).toEqual(['m0', 'm2'])
      expect(await memory.listMessagesById({ messageIds: ['m1'] })).toEqual({ messages: [] })
      await expect(
        memory.saveMessages({ messages: [messageOf('m1', 't1', 1)] }),
      ).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
      expect(idsOf(await history.getHistory('t1'))).toEqual(['m0', 'm2'])
    })

    test('what is no message is refused before any effect', async () => {
      const { memory } = await filled(1)
      const good = messageOf('good', 't1', 1)
      const bad = [
        [{ id: '' }, 'messages[1].id must not be empty'],
        [{ role: 'tool' }, 'messages[1].role must be user, assistant, system, signal, got "tool"'],
        [{ content: 5 }, 'messages[1].content must be an object, got 5'],
        [{ createdAt: new Date(NaN) }, 'messages[1].createdAt must be a date'],
        [{ threadId: undefined }, 'messages[1].threadId must be a string, got undefined'],
      ] as const
      for (const [fields, message] of bad) {
        const messages = [good, { ...messageOf('bad', 't1', 2), ...fields } as MastraDBMessage]
        await expect(memory.saveMessages({ messages })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(message),
        })
      }
      expect((await memory.listMessages({ threadId: 't1' })).total).toBe(1)
    })

    test('a copy has messages of its own', async () => {
      const { memory } = await filled(12)
      const { thread, messageIdMap } = await memory.copyThread({
        sourceThreadId: 't1',
        newThreadId: 'copy',
        title: 'Copy',
        options: { messageLimit: 10 },
      })
      expect(thread).toMatchObject({ id: 'copy', resourceId: 'ann', title: 'Copy' })
      const { messages, total } = await memory.listMessages({ threadId: 'copy' })
      expect(total).toBe(10)
      expect(messages[0]!.id).toBe(messageIdMap!['m2'])
      expect(messages[0]!.content.parts).toEqual([{ type: 'text', text: 'I am m2' }])
      const again = { sourceThreadId: 't1', newThreadId: 'copy' }
      await expect(memory.copyThread(again)).rejects.toMatchObject({ code: 'CONFLICT' })
    })
  })

  test('20 changes of a resource at once are all kept', async () => {
    const { memory } = fresh()
    expect(await memory.getResourceById({ resourceId: 'ann' })).toBeNull()
    const text = 'likes \0 and \ud83d'
    await memory.updateResource({ resourceId: 'ann', workingMemory: text })
    const names = Array.from({ length: 20 }, (_, i) => `key${i}`)
    await Promise.all(
      names.map((name) => {
        return memory.updateResource({ resourceId: 'ann', metadata: { [name]: null } })
      }),
    )
    const found = await memory.getResourceById({ resourceId: 'ann' })
    expect(found!.workingMemory).toBe(text)
    expect(Object.keys(found!.metadata!).sort()).toEqual([...names].sort())
    await memory.saveResource({ resource: { ...found!, metadata: { only: 1 } } })
    expect((await memory.getResourceById({ resourceId: 'ann' }))!.metadata).toEqual({ only: 1 })
  })

  test('all of a tenant is cleared or erased, and nothing of another', async () => {
    const one = await filled(3)
    const two = await filled(3)
    const other = await filled(2)
    await two.memory.updateResource({ resourceId: 'ann', workingMemory: 'secret' })
    await one.memory.dangerouslyClearAll()
    await two.history.eraseTenant(two.history.tenant)
    for (const { memory } of [one, two]) {
      expect((await memory.listThreads({})).total).toBe(0)
      expect((await memory.listMessages({ threadId: 't1' })).total).toBe(0)
      expect(await memory.listMessagesById({ messageIds: ['m1'] })).toEqual({ messages: [] })
      expect(await memory.getResourceById({ resourceId: 'ann' })).toBeNull()
    }
    expect((await other.memory.listMessages({ threadId: 't1' })).total).toBe(2)
    await one.memory.saveThread({ thread: threadOf('t1') })
    await one.memory.saveMessages({ messages: [messageOf('m1', 't1', 1)] })
    expect((await one.memory.listMessages({ threadId: 't1' })).total).toBe(1)
  })
}

/** Counts the items that reads of lists return. */
function countItems({ store }: ChatHistory): { stop(): number } {
  const { readItems } = store
  let count = 0
  store.readItems = async (query: ItemsQuery) => {
    const read = await readItems.call(store, query)
    count += read.items.length
    return read
  }
  return {
    stop() {
      store.readItems = readItems
      return count
    },
  }
}
