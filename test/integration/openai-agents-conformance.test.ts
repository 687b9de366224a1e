// Goal: a session of the OpenAI Agents SDK is what `MemorySession` is on servers, with writers in two processes, while
// the primary dies and comes back, and when its process is killed in the middle of a transaction: never half of one.
// Method: random programs on both; processes that are killed at any instruction.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MemorySession, type AgentInputItem } from '@openai/agents-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { EverthreadSession } from '../../src/adapters/openai-agents.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { describeServers } from '../fault/support/describe-servers.ts'
import { compareSessions } from '../support/agent-session-suite.ts'
import { itemsOf, replacement } from '../support/agent-transactions.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const CHILD = fileURLToPath(new URL('../fault/agent-session-child.ts', import.meta.url))
const SEED = Number(process.env['ADAPTER_SEED'] ?? 17)
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 2)

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everthread-agents-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

async function open(options: ChatHistoryOptions): Promise<ChatHistory> {
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return history
}

function said(content: string): AgentInputItem {
  return { role: 'user', content }
}

function texts(items: readonly AgentInputItem[]): string[] {
  return items.map((item) => (item as { content: string }).content)
}

/** Adds and pops of two histories at once: nothing is lost, and nothing comes twice. */
async function writeTogether(histories: readonly ChatHistory[]): Promise<void> {
  const sessions = histories.map((each) => new EverthreadSession(each, { sessionId: 'together' }))
  const names = Array.from({ length: 10 }, (_, i) => `${i}`)
  const of = (i: number): EverthreadSession => sessions[i % sessions.length]!
  await Promise.all(names.map((name, i) => of(i).addItems([said(name)])))
  const popped = await Promise.all(names.map((_, i) => of(i).popItem()))
  expect(new Set(texts(popped.map((each) => each!)))).toEqual(new Set(names))
  expect(await sessions[0]!.popItem()).toBeUndefined()
}

async function expectSession(primary: () => ChatHistoryOptions['primary']): Promise<void> {
  const path = await folder()
  const backup = `sqlite:${join(path, 'backup.db')}`
  const place = primary()!
  const histories = [
    await open({ primary: place, backup, wal: `file:${join(path, 'wal 1')}` }),
    await open({ primary: place, backup, wal: `file:${join(path, 'wal 2')}` }),
  ]
  expect(await compareSessions(histories[0]!, RUNS, SEED)).toBeGreaterThan(1)
  await writeTogether(histories)
}

describePostgres('on PostgreSQL', () => {
  test('a session is what MemorySession is, also for two writers', async () => {
    await expectSession(() => ({ type: 'postgresql', ...freshSchema() }))
  })
})

describeRedis('on Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.stop())

  test('a session is what MemorySession is, also for two writers', async () => {
    await expectSession(() => server.url)
  })
})

describeServers('with a primary that dies', () => {
  test('a session goes on, and has everything when it is back', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const path = await folder()
    const history = await open({
      primary: server.url,
      backup: `sqlite:${join(path, 'backup.db')}`,
      wal: `file:${join(path, 'wal')}`,
    })
    const session = new EverthreadSession(history, { sessionId: 's' })
    const reference = new MemorySession()
    const both = async (call: (each: MemorySession) => Promise<unknown>): Promise<void> => {
      const expected = await call(reference)
      await expect(call(session as never)).resolves.toStrictEqual(expected)
      await expect(session.getItems()).resolves.toStrictEqual(await reference.getItems())
    }
    await both((each) => each.addItems([said('1'), ...itemsOf(0)]))
    await history.flush()
    await server.kill()
    await both((each) => each.applyHistoryTransaction(replacement(0)))
    await both((each) => each.addItems([said('2')]))
    await both((each) => each.popItem())
    await both((each) => each.applyHistoryTransaction(replacement(0)))
    await server.restart()
    await both((each) => each.applyHistoryTransaction(replacement(1)))
    await history.flush()
    await both((each) => each.applyHistoryTransaction(replacement(0)))
    await both((each) => each.applyHistoryTransaction(replacement(2)))
  })
})

/** A process that works on the session. */
class Worker {
  readonly #child: ChildProcess
  #output = ''
  #errors = ''

  constructor({ path, ...places }: Files, ...work: readonly string[]) {
    const args = [RUN, CHILD, path, JSON.stringify(places), ...work]
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stdout!.on('data', (text: Buffer) => (this.#output += text.toString()))
    this.#child.stderr!.on('data', (text: Buffer) => (this.#errors += text.toString()))
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  get lines(): readonly string[] {
    return this.#output.split('\n').slice(0, -1)
  }

  async said(isEnough: (lines: readonly string[]) => boolean): Promise<void> {
    const hasEnded = (): boolean => this.#child.exitCode !== null && this.#child.exitCode !== 0
    await expect.poll(() => isEnough(this.lines) || hasEnded(), { interval: 5 }).toBe(true)
    if (hasEnded()) throw new Error(this.#errors)
  }

  go(): void {
    this.#child.stdin!.write('go\n')
  }

  /** Resolves once it has been killed and all that it said is there. */
  async killed(): Promise<void> {
    const [, signal] = (await once(this.#child, 'close')) as [unknown, unknown]
    if (signal !== 'SIGKILL') throw new Error(this.#errors)
  }
}

/** Two files and the log of one process. */
interface Files {
  readonly path: string
  readonly backup: string
  readonly wal: string
}

async function files(): Promise<(wal: string) => Files> {
  const path = await folder()
  return (wal) => ({
    path: join(path, 'primary.db'),
    backup: `sqlite:${join(path, 'backup.db')}`,
    wal: `file:${join(path, wal)}`,
  })
}

async function openFiles({ path, ...places }: Files): Promise<ChatHistory> {
  return await open({ primary: `sqlite:${path}`, ...places })
}

test('killed in the middle of a transaction, it has happened with its record or not at all', async () => {
  const of = await files()
  const own = await openFiles(of('own'))
  const session = new EverthreadSession(own, { sessionId: 's', decide: 'primary' })
  await session.addItems([said('first'), ...itemsOf(0)])
  let step = 0
  for (const at of [1, 2]) {
    const worker = new Worker(of('worker'), 'replace', `${step}`, `${at}`)
    await worker.killed()
    const done = worker.lines.filter((line) => line.startsWith('done')).length
    expect(done).toBeLessThan(at)
    // What was acknowledged has happened; the one that it was killed in has, or has not.
    const items = texts(await session.getItems())
    const found = Number(items.at(-1)!.split(' ')[1])
    expect(items).toEqual(['first', ...texts(itemsOf(found))])
    expect([step + done, step + done + 1]).toContain(found)
    // Whoever repeats it cannot tell: it happens once.
    await session.applyHistoryTransaction(replacement(step + done))
    step += done + 1
    expect(texts(await session.getItems())).toEqual(['first', ...texts(itemsOf(step))])
  }
})

test('two processes pop distinct items', async () => {
  const of = await files()
  const own = await openFiles(of('own'))
  const session = new EverthreadSession(own, { sessionId: 's', decide: 'primary' })
  const names = Array.from({ length: 24 }, (_, i) => `${i}`)
  await session.addItems(names.map(said))
  const worker = new Worker(of('worker'), 'pop')
  await worker.said((lines) => lines.includes('ready'))
  worker.go()
  const popped: string[] = []
  for (;;) {
    const item = await session.popItem()
    if (item === undefined) break
    popped.push(...texts([item]))
  }
  await worker.said((lines) => lines.includes('ended'))
  const theirs = worker.lines.flatMap((line) => line.split('popped ')[1] ?? [])
  const all = [...popped, ...theirs]
  expect(all).toHaveLength(names.length)
  expect(new Set(all)).toEqual(new Set(names))
})
