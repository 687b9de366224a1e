// Goal: the adapters of chats in browsers (AI SDK, TanStack AI, assistant-ui) hold on real databases what they hold in
// memory, when a process is killed in the middle of an answer, and while the primary is killed and restarted. Method:
// one round of all three on each database; a child process and SIGKILL; a private server and SIGKILL.
import type { ThreadMessage } from '@assistant-ui/core'
import type { UIMessage, UIMessageChunk } from 'ai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EverthreadChats } from '../../src/adapters/ai-sdk.ts'
import { streamStore, threadHistory, threadList } from '../../src/adapters/assistant-ui.ts'
import { tanstackPersistence } from '../../src/adapters/tanstack-ai.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { describePostgres, freshDatabase, postgresUrl } from '../support/postgres-backend.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { hasRedis, startRedis } from '../support/redis-server.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const WRITER = fileURLToPath(new URL('ai-sdk-writer.ts', import.meta.url))

const PRIMARIES: readonly (readonly [string, boolean, () => Promise<string>])[] = [
  ['postgresql', postgresUrl !== undefined, freshDatabase],
  ['redis', hasRedis, redisUrl],
  ['sqlite', true, async () => `sqlite:${join(await folder(), 'primary.db')}`],
]

/** It takes a lease to find a process dead: on one database, unless `ALL_KILLS` asks for all. */
function isKilledOn(name: string): boolean {
  const [first] = PRIMARIES.find(([, isThere]) => isThere)!
  return name === first || process.env['ALL_KILLS'] !== undefined
}

async function redisUrl(): Promise<string> {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  return server.url
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everthread-ai-sdk-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

async function optionsOf(primary: string, backup: string): Promise<ChatHistoryOptions> {
  const filePath = join(await folder(), 'wal')
  return { primary, backup, wal: { type: 'file', filePath }, logger: false } as ChatHistoryOptions
}

async function open(options: ChatHistoryOptions): Promise<ChatHistory> {
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return history
}

function user(id: string, text: string): UIMessage {
  return { id, role: 'user', parts: [{ type: 'text', text }] }
}

async function textsOf(chats: EverthreadChats): Promise<string[]> {
  const messages = await chats.loadChat('c')
  return messages.map(({ parts }) =>
    parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
  )
}

/** One round of every adapter. */
async function round(one: ChatHistory, two: ChatHistory, n: number): Promise<void> {
  const id = `r${n}`
  const said = `NUL \0, half \ud83d, whole 😀 ${n}`
  const messages = [user(`u${n}`, said)]
  const turn = await new EverthreadChats(one).start({ chatId: id, messages })
  await turn.append({ type: 'text-start', id: 't' })
  await turn.append({ type: 'text-delta', id: 't', delta: said })
  await turn.append({ type: 'text-end', id: 't' })
  await turn.end()
  const answer = {
    id: turn.id,
    role: 'assistant',
    parts: [{ type: 'text', text: said, state: 'done' }],
  }
  const chat = [...messages, answer] as UIMessage[]
  expect(await new EverthreadChats(two).loadChat(id)).toEqual(chat)

  const { stores } = tanstackPersistence(one)
  const thread = [{ role: 'user', content: said }] as const
  await stores.messages.saveThread(`t${id}`, [...thread])
  await stores.messages.saveThread(`t${id}`, [...thread, ...thread])
  await stores.runs.createOrResume({ runId: id, threadId: id, startedAt: n })
  await stores.runs.update(id, { status: 'completed', finishedAt: n })
  const others = tanstackPersistence(two).stores
  expect(await others.messages.loadThread(`t${id}`)).toEqual([...thread, ...thread])
  expect(await others.runs.get(id)).toMatchObject({ status: 'completed', finishedAt: n })

  const message = {
    id: `m${n}`,
    role: 'user',
    createdAt: new Date(n),
    content: [{ type: 'text', text: said }],
  }
  const item = { parentId: null, message: message as object as ThreadMessage }
  await threadHistory<ThreadMessage>(one, `h${id}`).append(item)
  expect((await threadHistory<ThreadMessage>(two, `h${id}`).load()).messages).toEqual([item])

  const streams = [one, two].map((history) =>
    streamStore(history, { decide: 'anywhere', pollMs: 10 }),
  )
  const roles = await Promise.all(streams.map((store) => store.acquire(id)))
  expect(roles.toSorted()).toEqual(['consumer', 'producer'])
  const producer = streams[roles.indexOf('producer')]!
  for (const byte of [1, 2, 3]) await producer.append(id, Uint8Array.of(byte))
  await producer.finalize(id, 'done')
  const read: number[] = []
  const { signal } = new AbortController()
  for (const store of streams)
    for await (const { chunk } of store.read(id, '', signal)) read.push(...chunk)
  expect(read).toEqual([1, 2, 3, 1, 2, 3])
}

for (const [name, isThere, primaryOf] of PRIMARIES) {
  describe.runIf(isThere)(name, () => {
    test('has what each adapter keeps, for both of two processes', async () => {
      const primary = await primaryOf()
      const backup = `sqlite:${join(await folder(), 'backup.db')}`
      const one = await open(await optionsOf(primary, backup))
      const two = await open(await optionsOf(primary, backup))
      await round(one, two, 1)
      const list = threadList(one, { owner: 'ann' })
      await list.initialize('a', { custom: { n: 1 } })
      await list.archive('a')
      expect((await threadList(two, { owner: 'ann' }).list()).threads).toMatchObject([
        { remoteId: 'a', status: 'archived', custom: { n: 1 } },
      ])
    })

    test.runIf(isKilledOn(name))(
      'keeps an answer whose process is killed, for those who follow and the next turn',
      async () => {
        const primary = await primaryOf()
        const backup = `sqlite:${join(await folder(), 'backup.db')}`
        const history = await open(await optionsOf(primary, backup))
        const chats = new EverthreadChats(history, { pollMs: 20 })
        const config = {
          options: await optionsOf(primary, backup),
          messages: [user('u1', 'Count')],
        }
        const child = spawn(process.execPath, [RUN, WRITER, JSON.stringify(config)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const exited = once(child, 'exit')
        onTestFinished(async () => {
          child.kill('SIGKILL')
          await exited
        })
        await once(child.stdout, 'data')
        await expect.poll(async () => (await textsOf(chats))[1] ?? '').toContain('0 1 2')
        const reader = (await chats.resume('c'))!.getReader()
        let followed = ''
        const next = async (): Promise<UIMessageChunk | undefined> => {
          const { value } = await reader.read()
          if (value?.type === 'text-delta') followed += value.delta
          return value
        }
        while (!followed.includes(' 9 ')) await next()
        child.kill('SIGKILL')
        await exited
        let last: UIMessageChunk | undefined
        for (let chunk = await next(); chunk !== undefined; chunk = await next()) last = chunk
        expect(last).toEqual({ type: 'abort' })
        expect(await textsOf(chats)).toEqual(['Count', followed])
        expect(await chats.resume('c')).toBe(null)
        const loaded = await chats.loadChat('c')
        await chats.saveChat({ chatId: 'c', messages: [...loaded, user('u2', 'Go on')] })
        expect(await textsOf(chats)).toEqual(['Count', followed, 'Go on'])
      },
    )
  })
}

describePostgres('a primary that is killed', () => {
  test('and restarted loses nothing of any adapter', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const backup = `sqlite:${join(await folder(), 'backup.db')}`
    const one = await open(await optionsOf(server.url, backup))
    await round(one, one.forTenant(''), 1)
    await server.kill()
    await round(one, one.forTenant(''), 2)
    await server.restart()
    await round(one, one.forTenant(''), 3)
    const chats = new EverthreadChats(one)
    for (const n of [1, 2, 3]) expect(await chats.loadChat(`r${n}`)).toHaveLength(2)
  })
})
