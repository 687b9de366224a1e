// Goal: what assistant-ui keeps here is kept as its own stores in memory keep it, by several processes, with all
// branches. Method: random calls on both; the types of its interfaces; two histories on the same databases.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type {
  InMemoryThreadListAdapter,
  RemoteThreadListAdapter,
  ThreadHistoryAdapter,
  ThreadMessage,
} from '@assistant-ui/core'
import type { MessageRepository } from '@assistant-ui/core/internal'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { streamRig } from '../../test/support/stream-rig.ts'
import { openChatHistory } from '../index.ts'
import { threadHistory, threadList, type MessageFormat } from './assistant-ui.ts'

const RUNS = Number(process.env['ASSISTANT_UI_RUNS'] ?? 20)
const MEMORY = { primary: 'memory:', backup: 'memory:', wal: 'memory:', logger: false } as const

/** Files of the package that need no React, unlike the package. */
const ENTRY = createRequire(import.meta.url).resolve('@assistant-ui/core')
async function ofPackage<Module>(file: string): Promise<Module> {
  return (await import(join(ENTRY, '..', file))) as Module
}

async function newRepository(): Promise<MessageRepository> {
  const { MessageRepository: Repository } = await ofPackage<{
    MessageRepository: new () => MessageRepository
  }>('runtime/utils/message-repository.js')
  return new Repository()
}

function userMessage(id: string, text: string): ThreadMessage {
  return {
    id,
    role: 'user',
    createdAt: new Date('2026-01-01T00:00:00.123Z'),
    content: [{ type: 'text', text }],
    attachments: [],
    metadata: { custom: { a: 1 } },
  }
}

function answer(id: string, text: string): ThreadMessage {
  return {
    id,
    role: 'assistant',
    createdAt: new Date('2026-01-01T00:00:01Z'),
    content: [{ type: 'text', text }],
    status: { type: 'complete', reason: 'stop' },
    metadata: {
      unstable_state: null,
      unstable_annotations: [],
      unstable_data: [],
      steps: [],
      custom: {},
    },
  }
}

describe('threadHistory', () => {
  test('keeps all branches, and assistant-ui reads them', async () => {
    const history = await streamRig().open()
    const adapter: ThreadHistoryAdapter = threadHistory<ThreadMessage>(history, 't')
    const items = [
      { parentId: null, message: userMessage('u1', 'Hello') },
      { parentId: 'u1', message: answer('a1', 'Hi'), runConfig: { custom: { model: 'm' } } },
      { parentId: 'u1', message: answer('a2', 'Hello!') },
      { parentId: 'a2', message: userMessage('u2', 'NUL \0, half \ud83d, whole 😀') },
    ]
    for (const item of items) await adapter.append(item)
    await adapter.append(items[1]!)
    const loaded = await adapter.load()
    expect(loaded.messages).toEqual(items)
    const repository = await newRepository()
    repository.import(loaded)
    expect(repository.getMessages().map(({ id }) => id)).toEqual(['u1', 'a2', 'u2'])
    expect(repository.getBranches('a1')).toEqual(['a1', 'a2'])
    const { messages } = await history.getHistory('t')
    expect(messages.map(({ id }) => id)).toEqual(['u1', 'a1', 'a2', 'u2'])
  })

  test('replaces, adds what is not there, and deletes twice', async () => {
    const adapter = threadHistory<ThreadMessage>(await streamRig().open(), 't')
    const paused = { parentId: 'u1', message: answer('a1', 'Hi') }
    await adapter.append({ parentId: null, message: userMessage('u1', 'Hello') })
    await adapter.update(paused)
    await adapter.update({ parentId: 'u1', message: answer('a1', 'Hi there') })
    expect((await adapter.load()).messages.map(({ message }) => message)).toEqual([
      userMessage('u1', 'Hello'),
      answer('a1', 'Hi there'),
    ])
    await adapter.delete([paused])
    await adapter.delete([paused])
    expect((await adapter.load()).messages).toHaveLength(1)
  })

  test('puts parents first, whoever was saved first', async () => {
    const adapter = threadHistory<ThreadMessage>(await streamRig().open(), 't')
    await adapter.append({ parentId: 'a1', message: userMessage('u2', 'Go on') })
    await adapter.append({ parentId: 'u1', message: answer('a1', 'Hi') })
    await adapter.append({ parentId: null, message: userMessage('u1', 'Hello') })
    const ids = (await adapter.load()).messages.map(({ message }) => message.id)
    expect(ids).toEqual(['u1', 'a1', 'u2'])
  })

  test('shows what others saved as messages that assistant-ui takes', async () => {
    const history = await streamRig().open()
    await history.saveMessages('t', [
      { id: 'o1', role: 'user', content: 'Hello' },
      { id: 'o2', role: 'assistant', content: [{ type: 'text', text: 'Hi' }] },
    ])
    const adapter = threadHistory<ThreadMessage>(history, 't')
    await adapter.append({ parentId: 'o2', message: userMessage('u1', 'Go on') })
    const loaded = await adapter.load()
    const repository = await newRepository()
    repository.import(loaded)
    expect(repository.getMessages().map(({ id, content }) => [id, content])).toEqual([
      ['o1', [{ type: 'text', text: 'Hello' }]],
      ['o2', [{ type: 'text', text: 'Hi' }]],
      ['u1', [{ type: 'text', text: 'Go on' }]],
    ])
    expect(loaded.messages[1]?.message).toMatchObject({ status: { type: 'complete' } })
  })

  test('keeps messages of other formats, those of the AI SDK as themselves', async () => {
    interface Own {
      id: string
      body: Record<string, unknown>
    }
    const history = await streamRig().open()
    const format: MessageFormat<Own, Record<string, unknown>> = {
      format: 'own/v1',
      encode: ({ message }) => message.body,
      decode: ({ id, parent_id: parentId, content }) => ({
        parentId,
        message: { id, body: content },
      }),
      getId: ({ id }) => id,
    }
    const adapter: ThreadHistoryAdapter = threadHistory<ThreadMessage>(history, 't')
    const formatted = adapter.withFormat!(format)
    const parts = [{ type: 'text', text: 'Hello' }]
    const items = [
      { parentId: null, message: { id: 'x1', body: { role: 'user', parts } } },
      { parentId: 'x1', message: { id: 'x2', body: { id: 'inner', any: [1], createdAt: 5 } } },
    ]
    for (const item of items) await formatted.append(item)
    expect((await formatted.load()).messages).toEqual(items)
    expect((await adapter.load()).messages).toEqual([])
    const { messages } = await history.getHistory('t')
    expect(messages[0]).toMatchObject({ id: 'x1', role: 'user', parts })
    await formatted.update!(
      { parentId: null, message: { id: 'x1', body: { role: 'user', parts: [] } } },
      'x1',
    )
    await formatted.delete!([items[1]!])
    expect((await formatted.load()).messages).toEqual([
      { parentId: null, message: { id: 'x1', body: { role: 'user', parts: [] } } },
    ])
  })

  test('is no empty thread in an outage, and refuses what is no date', async () => {
    const { primary, backup, open } = streamRig()
    const history = await open()
    const adapter = threadHistory<ThreadMessage>(history, 't')
    const others = threadHistory<ThreadMessage>(history.forTenant('t2'), 't')
    await adapter.append({ parentId: null, message: userMessage('u1', 'Hello') })
    expect((await others.load()).messages).toEqual([])
    const text = { ...userMessage('u2', 'x'), createdAt: '2026-01-01' as never }
    await expect(adapter.append({ parentId: 'u1', message: text })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    primary.setMode('refused')
    expect((await adapter.load()).messages).toHaveLength(1)
    backup.setMode('refused')
    await expect(adapter.load()).rejects.toMatchObject({ effect: 'none' })
  })
})

describe('threadList', () => {
  const id = fc.constantFrom('t1', 't2', 't/3')
  const title = fc.constantFrom('One', 'Two')
  const custom = fc.constantFrom({ a: 1 }, { b: [null] }, undefined)
  type Call = (list: RemoteThreadListAdapter) => Promise<unknown>
  const call: fc.Arbitrary<Call> = fc.oneof(
    fc.tuple(id, custom).map(
      ([name, given]): Call =>
        (list) =>
          list.initialize(name, { custom: given }),
    ),
    fc.tuple(id, title).map(
      ([name, text]): Call =>
        (list) =>
          list.rename(name, text),
    ),
    fc.tuple(id, custom).map(
      ([name, given]): Call =>
        (list) =>
          list.updateCustom!(name, given),
    ),
    id.map(
      (name): Call =>
        (list) =>
          list.archive(name),
    ),
    id.map(
      (name): Call =>
        (list) =>
          list.unarchive!(name),
    ),
    id.map(
      (name): Call =>
        (list) =>
          list.delete(name),
    ),
    id.map(
      (name): Call =>
        (list) =>
          list.fetch(name),
    ),
  )

  /** What is there, without the order, which is by activity here. */
  async function shown(list: RemoteThreadListAdapter): Promise<unknown> {
    const { threads } = await list.list()
    return threads
      .toSorted((a, b) => a.remoteId.localeCompare(b.remoteId))
      .map(({ remoteId, status, title: name, custom: given }) => [remoteId, status, name, given])
  }

  test('is what the list in memory is', async () => {
    const { InMemoryThreadListAdapter: InMemory } = await ofPackage<{
      InMemoryThreadListAdapter: new () => InMemoryThreadListAdapter
    }>('runtimes/remote-thread-list/adapter/in-memory.js')
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 15 }), async (calls) => {
        const theirs = new InMemory()
        const history = await openChatHistory(MEMORY)
        try {
          const ours: RemoteThreadListAdapter = threadList<ThreadMessage>(history, { owner: 'ann' })
          // What is not there is passed over in memory; here it is an error.
          for (const each of calls) await Promise.allSettled([each(ours), each(theirs)])
          expect(await shown(ours)).toEqual(await shown(theirs))
        } finally {
          await history.close()
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('shows no thread of somebody else, by no call', async () => {
    const history = await streamRig().open()
    const ann = threadList<ThreadMessage>(history, { owner: 'ann' })
    const bob = threadList<ThreadMessage>(history, { owner: 'bob' })
    await ann.initialize('t1', { custom: { secret: 1 } })
    const calls = [
      bob.fetch('t1'),
      bob.rename('t1', 'Mine'),
      bob.updateCustom('t1', {}),
      bob.archive('t1'),
      bob.unarchive('t1'),
      bob.delete('t1'),
      bob.initialize('t1'),
      bob.generateTitle('t1', []),
    ]
    const settled = await Promise.allSettled(calls.slice(0, -1))
    const codes = settled.map(
      (each) => each.status === 'rejected' && (each.reason as { code: string }).code,
    )
    expect(codes).toEqual(Array.from({ length: 7 }, () => 'NOT_FOUND'))
    await calls.at(-1)
    expect(await bob.list()).toEqual({ threads: [] })
    expect(await ann.fetch('t1')).toMatchObject({ status: 'regular', custom: { secret: 1 } })
  })

  test('pages, makes titles, and deletes messages with their thread', async () => {
    const history = await streamRig().open()
    const makeTitle = async (messages: readonly ThreadMessage[]): Promise<string> =>
      `${messages.length} said`
    const list = threadList<ThreadMessage>(history, { pageSize: 2, makeTitle })
    for (const name of ['t1', 't2', 't3']) await list.initialize(name)
    await threadHistory<ThreadMessage>(history, 't1').append({
      parentId: null,
      message: userMessage('u1', 'Hello'),
    })
    const first = await list.list()
    const second = await list.list({ after: first.nextCursor })
    const ids = [...first.threads, ...second.threads].map(({ remoteId }) => remoteId)
    expect(ids.toSorted()).toEqual(['t1', 't2', 't3'])
    const chunks = []
    for await (const chunk of await list.generateTitle('t1', [userMessage('u1', 'x')]))
      chunks.push(chunk)
    expect(chunks[1]).toEqual({ type: 'text-delta', path: [0], textDelta: '1 said' })
    expect((await list.fetch('t1')).title).toBe('1 said')
    await list.delete('t1')
    await list.delete('t1')
    expect((await threadHistory<ThreadMessage>(history, 't1').load()).messages).toEqual([])
  })
})
