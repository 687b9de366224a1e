// Goal: a list goes past the keys that were cleared elsewhere; it neither ends there nor begins again.
// Method: databases in memory, virtual time; the backup lacks clears that are pending for it.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'

interface Rig {
  readonly env: VirtualEnv
  readonly history: ChatHistory
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
}

async function rig(): Promise<Rig> {
  const env = virtualEnv()
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const history = await env.drive(openChatHistory({ env, primary, backup, wal: 'memory:' }))
  onTestFinished(() => env.drive(history.close(), 100))
  return { env, history, primary, backup }
}

/** From here on the backup takes nothing, and it alone is read. */
function cutOff({ primary, backup }: Rig, clear: () => Promise<void>): Promise<void> {
  backup.onCall((operation) => {
    if (operation === 'apply') throw new Error('takes nothing')
  })
  return clear().then(() => primary.setMode('refused'))
}

const NAMES = ['a', 'b', 'c', 'd', 'e']

test('keys behind a page of cleared ones are listed', async () => {
  const all = await rig()
  const { env, history } = all
  const { store } = history
  await env.drive(store.mset(NAMES.map((name) => [name, 1] as const)))
  await env.drive(store.flushWAL())
  await cutOff(all, async () => {
    for (const name of NAMES.slice(0, 4)) await env.drive(store.delete(name))
  })
  const page = await env.drive(store.listKeys({ prefix: '', limit: 2 }))
  expect(page).toMatchObject({ keys: ['e'], done: true })
})

test('conversations behind a page of cleared ones are listed', async () => {
  const all = await rig()
  const { env, history } = all
  for (const name of NAMES) {
    await env.drive(history.saveMessage(name, { role: 'user', content: name }))
    await env.advance(10)
  }
  await env.drive(history.store.flushWAL())
  await cutOff(all, async () => {
    for (const name of NAMES.slice(1)) await env.drive(history.clearHistory(name))
  })
  const page = await env.drive(history.listConversations({ limit: 2 }))
  expect(page.conversations.map(({ conversationId }) => conversationId)).toEqual(['a'])
  expect(page.nextCursor).toBeUndefined()
})

test('all keys are listed although the first thousand are cleared', async () => {
  const all = await rig()
  const { env, history } = all
  const { store } = history
  const names = Array.from({ length: 1_001 }, (_, i) => `k${String(i).padStart(4, '0')}`)
  await env.drive(store.mset(names.slice(0, 1_000).map((name) => [name, 1] as const)))
  await env.drive(store.set(names[1_000]!, 1))
  await env.drive(store.flushWAL())
  await cutOff(all, async () => {
    await env.drive(Promise.all(names.slice(0, 1_000).map((name) => store.delete(name))))
  })
  let rounds = 0
  all.backup.onCall((operation) => {
    if (operation === 'apply') throw new Error('takes nothing')
    if (operation === 'listKeys' && ++rounds > 10) throw new Error('begun again and again')
  })
  expect(await env.drive(store.list('k'))).toEqual([names[1_000]])
})
