// Goal: a hint stands for as long as its writer owes something and no longer, and while one stands reads ask
// both databases, however different their pace. Method: databases in memory, virtual time.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { sleep } from '../../src/core/time.ts'

interface Rig {
  readonly env: VirtualEnv
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly open: () => Promise<ChatHistory>
}

function rig(): Rig {
  const env = virtualEnv()
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  return {
    env,
    primary,
    backup,
    open: async () => {
      const history = await env.drive(openChatHistory({ env, primary, backup, wal: 'memory:' }))
      onTestFinished(() => env.drive(history.close()))
      return history
    },
  }
}

const MESSAGE = { role: 'user', content: 'hello' } as const

test('a process that ends right after a hedged save leaves no hint', async () => {
  const { env, primary, backup, open } = rig()
  const history = await open()
  // The first save waits longer for the primary.
  await env.drive(history.saveMessage('c', MESSAGE))
  primary.onCall(async (operation) => {
    if (operation === 'apply') await sleep(env, 500)
  })
  const { copies } = await env.drive(history.saveMessage('c', MESSAGE))
  expect(copies).toContain('backup')
  expect((await backup.readState('nobody')).hints).toHaveLength(1)
  await env.drive(history.close())
  await backup.connect()
  expect((await backup.readState('nobody')).hints).toEqual([])
})

test('a hint stays when its writer ends while the primary lacks what it is about', async () => {
  const { env, primary, backup, open } = rig()
  const history = await open()
  primary.setMode('refused')
  await env.drive(history.saveMessage('c', MESSAGE))
  await env.drive(history.close(), 100)
  await backup.connect()
  expect((await backup.readState('nobody')).hints).toHaveLength(1)
})

test('a backup of a slower pace is waited for while there is a hint: the read is complete', async () => {
  const { env, backup, open } = rig()
  const history = await open()
  await env.drive(history.saveMessage('c', MESSAGE))
  await backup.apply([], { hint: 'somebody' })
  backup.onCall(async (operation) => {
    if (operation === 'readState' || operation === 'readItems') await sleep(env, 100)
  })
  await env.advance(3_000)
  const { complete, messages } = await env.drive(history.getHistory('c'))
  expect({ complete, count: messages.length }).toEqual({ complete: true, count: 1 })
})

test('a backup that is only late is waited for before an id is said to be unknown', async () => {
  const { env, backup, open } = rig()
  const history = await open()
  await env.drive(history.saveMessage('c', MESSAGE))
  backup.onCall(async (operation) => {
    if (operation === 'readHints') await sleep(env, 1_500)
  })
  const unknown = (): Promise<unknown> =>
    env.drive(history.updateMessage('c', 'nobody', MESSAGE).catch((error: unknown) => error))
  expect(await unknown()).toMatchObject({ code: 'NOT_FOUND', effect: 'none' })
  // One that is out may have it.
  backup.onCall(() => undefined)
  backup.setMode('refused')
  await env.advance(3_000)
  expect(await unknown()).toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
})
