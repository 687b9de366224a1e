// Goal: every limit is taken at its last byte and refused one byte further, before any effect.
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type NewMessage } from '../../src/index.ts'
import {
  CONVERSATION_ID_BYTES_MAX,
  GROUP_OPERATIONS_MAX,
  MESSAGE_ID_BYTES_MAX,
  PAGE_ITEMS_MAX,
  TENANT_BYTES_MAX,
  VALUE_BYTES_MAX,
  VALUE_DEPTH_MAX,
} from '../../src/core/limits.ts'

async function opened(tenant?: string): Promise<ChatHistory> {
  const history = await openChatHistory({
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
    ...(tenant !== undefined && { tenant }),
  })
  onTestFinished(() => history.close())
  return history
}

const refused = { code: 'INVALID_ARGUMENT', effect: 'none' }
const message: NewMessage = { role: 'user', content: 'x' }

/** Two bytes each: a limit in characters would take twice as much. */
function text(bytes: number): string {
  return 'é'.repeat(bytes >> 1) + 'x'.repeat(bytes % 2)
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

test('a conversation id', async () => {
  const history = await opened()
  await history.saveMessage(text(CONVERSATION_ID_BYTES_MAX), message)
  const call = history.saveMessage(text(CONVERSATION_ID_BYTES_MAX + 1), message)
  await expect(call).rejects.toMatchObject(refused)
  expect((await history.listConversations()).conversations).toHaveLength(1)
})

test('a message id', async () => {
  const history = await opened()
  await history.saveMessage('c', { ...message, id: text(MESSAGE_ID_BYTES_MAX) })
  const call = history.saveMessage('c', { ...message, id: text(MESSAGE_ID_BYTES_MAX + 1) })
  await expect(call).rejects.toMatchObject(refused)
  expect(await history.countMessages('c')).toBe(1)
})

test('a tenant', async () => {
  await opened(text(TENANT_BYTES_MAX))
  await expect(opened(text(TENANT_BYTES_MAX + 1))).rejects.toMatchObject(refused)
})

test('a message as JSON', async () => {
  const history = await opened()
  // What is stored besides the content itself.
  const around = Buffer.byteLength(JSON.stringify({ role: 'user', content: '' }))
  let fits = VALUE_BYTES_MAX - around - 200
  await history.saveMessage('c', { role: 'user', content: 'x'.repeat(fits) })
  for (let step = 128; step >= 1; step >>= 1) {
    const larger = { role: 'user', content: 'x'.repeat(fits + step) } as const
    const isTaken = await history.saveMessage('d', larger).then(
      () => true,
      () => false,
    )
    if (isTaken) fits += step
  }
  const count = await history.countMessages('d')
  const call = history.saveMessage('d', { role: 'user', content: 'x'.repeat(fits + 1) })
  await expect(call).rejects.toMatchObject(refused)
  // The limit is in bytes, not in characters.
  const wide = history.saveMessage('d', { role: 'user', content: `${'x'.repeat(fits - 1)}é` })
  await expect(wide).rejects.toMatchObject(refused)
  expect(await history.countMessages('d')).toBe(count)
})

test('the depth of a message', async () => {
  const history = await opened()
  const save = (depth: number): Promise<unknown> =>
    history.saveMessage('c', { ...message, metadata: { deep: nested(depth) } })
  let depth = 1
  while (depth <= VALUE_DEPTH_MAX) {
    const isTaken = await save(depth).then(
      () => true,
      () => false,
    )
    if (!isTaken) break
    depth++
  }
  expect(depth).toBeGreaterThan(VALUE_DEPTH_MAX - 10)
  expect(depth).toBeLessThanOrEqual(VALUE_DEPTH_MAX)
  await expect(save(depth)).rejects.toMatchObject(refused)
  await expect(save(100_000)).rejects.toMatchObject(refused)
})

test('the messages of a group, and of a page', async () => {
  const history = await opened()
  const group = (count: number): NewMessage[] => Array.from({ length: count }, () => message)
  await history.saveMessages('c', group(GROUP_OPERATIONS_MAX))
  const call = history.saveMessages('c', group(GROUP_OPERATIONS_MAX + 1))
  await expect(call).rejects.toMatchObject(refused)
  expect(await history.countMessages('c')).toBe(GROUP_OPERATIONS_MAX)
  expect((await history.getHistory('c', { limit: PAGE_ITEMS_MAX })).messages).toHaveLength(
    Math.min(PAGE_ITEMS_MAX, GROUP_OPERATIONS_MAX),
  )
  for (const limit of [0, -1, 1.5, PAGE_ITEMS_MAX + 1, Number.NaN]) {
    await expect(history.getHistory('c', { limit })).rejects.toMatchObject(refused)
  }
})
