// Goal: a follower of a conversation is told of every change, whoever makes it and however late it arrives.
// Method: stores on the same databases, with clocks that differ; what the follower was told is compared with
// what was acknowledged.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Env } from '../../src/core/env.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import type { Change, SubscribeOptions } from '../../src/chat/changes/change.ts'
import { eventually } from '../../src/testing/eventually.ts'

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-changes-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A clock that is off by this much. */
function skewed(ms: number): Env {
  const env = nodeEnv()
  return Object.create(env, { now: { value: () => env.now() + ms } }) as Env
}

async function open(directory: string, options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  const history = await openChatHistory({
    primary: `sqlite:${join(directory, 'primary.db')}`,
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
    logger: false,
    drainTimeout: 500,
    ...options,
  })
  onTestFinished(() => history.close())
  return history
}

interface Told {
  readonly changes: Change[]
  readonly ids: () => string[]
  readonly stop: () => void
}

/** Takes all changes, until the end of the test. */
async function follow(history: ChatHistory, options: SubscribeOptions): Promise<Told> {
  const changes: Change[] = []
  const followed = history.subscribe(options)
  onTestFinished(() => followed.close())
  void (async () => {
    for await (const change of followed) changes.push(change)
  })()
  await eventually(() => expect(changes.map(({ type }) => type)).toContain('ready'))
  return {
    changes,
    ids: () => changes.flatMap((each) => (each.type === 'message' ? [each.message.id] : [])),
    stop: () => followed.close(),
  }
}

const say = (content: string, id?: string) =>
  ({ role: 'user', content, ...(id && { id }) }) as const

describe('one process', () => {
  test('is told of saves, updates, removals and clears', async () => {
    const history = await open(await scratch())
    await history.saveMessage('c', say('before'))
    const told = await follow(history, { conversationId: 'c' })
    const { id } = await history.saveMessage('c', say('one'))
    await history.saveMessage('c', say('two', 'two'))
    await history.updateMessage('c', id, say('one!'))
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('updated'))
    await history.deleteMessage('c', 'two')
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('removed'))
    await history.clearHistory('c')
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('cleared'))
    await history.saveMessage('c', say('three', 'two'))
    await eventually(() => expect(told.changes.at(-1)?.type).toBe('message'))
    expect(told.changes.map(({ type }) => type)).toEqual([
      'ready',
      'message',
      'message',
      'updated',
      'removed',
      'cleared',
      'message',
    ])
  })
})

test('two writers with 2 s of skew: nobody is missed', async () => {
  const directory = await scratch()
  const follower = await open(directory)
  const a = await open(directory)
  const b = await open(directory, { env: skewed(-2_000) })
  const told = await follow(follower, { conversationId: 'c' })
  const saved: string[] = []
  const write = async (history: ChatHistory): Promise<void> => {
    for (let i = 0; i < 300; i++) saved.push((await history.saveMessage('c', say(`${i}`))).id)
  }
  await Promise.all([write(a), write(b)])
  await eventually(() => expect(told.ids().length).toBeGreaterThanOrEqual(600))
  expect(told.ids().toSorted()).toEqual(saved.toSorted())
})
