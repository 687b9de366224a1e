import { expect, onTestFinished, test } from 'vitest'
import type { ChatHistory } from '../chat-history.ts'
import { openChatHistory, type ChatHistoryOptions } from '../open-chat-history.ts'
import type { ListConversationsOptions } from './record-options.ts'

const MESSAGE = { role: 'user', content: 'Hello' } as const

async function open(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  const places = { primary: 'memory:', backup: 'memory:', wal: 'memory:' } as const
  const history = await openChatHistory({ ...places, ...options })
  onTestFinished(() => history.close())
  return history
}

/** The ids of all pages, and how many pages there were. */
async function listed(
  history: ChatHistory,
  options: ListConversationsOptions = {},
): Promise<string[]> {
  const ids: string[] = []
  let before: string | undefined
  do {
    const page = await history.listConversations({ ...options, ...(before && { before }) })
    expect(page.complete).toBe(true)
    ids.push(...page.conversations.map(({ conversationId }) => conversationId))
    before = page.nextCursor
  } while (before !== undefined)
  return ids
}

test('a conversation is created with its fields, and shown with them before it has messages', async () => {
  const history = await open()
  const metadata = { topic: 'travel', stars: 3, ['__proto__']: 'own' }
  const receipt = await history.createConversation('c', { title: 'Rome', owner: 'ann', metadata })
  expect(receipt.copies).toHaveLength(2)
  const shown = await history.getConversation('c')
  expect(shown).toEqual({
    conversationId: 'c',
    title: 'Rome',
    owner: 'ann',
    metadata,
    createdAt: expect.any(String),
    updatedAt: expect.any(String),
    lastActivityAt: shown!.createdAt,
    messageCount: 0,
    stamp: receipt.stamp,
    complete: true,
  })
  expect((await history.listConversations()).conversations).toHaveLength(1)
  expect(await listed(history, { owner: 'ann' })).toEqual(['c'])
  expect(await listed(history, { owner: 'bob' })).toEqual([])
  expect(await history.getConversation('d')).toBeUndefined()
})

test('a create may be repeated, and is a conflict with other fields', async () => {
  const history = await open()
  const fields = { title: 'Rome', metadata: { a: 1, b: { c: 2 } } }
  const first = await history.createConversation('c', fields)
  const again = await history.createConversation('c', {
    ...fields,
    metadata: { b: { c: 2 }, a: 1 },
  })
  expect(again.stamp).toBe(first.stamp)
  expect(again.copies.length).toBeGreaterThan(0)
  const other = history.createConversation('c', { ...fields, title: 'Paris' })
  await expect(other).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
})

test('an update merges field by field, and null takes a field away', async () => {
  const history = await open()
  await history.createConversation('c', { title: 'Rome', metadata: { a: 1, b: 2 } })
  await Promise.all([
    history.updateConversation('c', { metadata: { b: 3 } }),
    history.updateConversation('c', { metadata: { c: [4] } }),
    history.updateConversation('c', { title: 'Paris' }),
  ])
  await history.updateConversation('c', { metadata: { a: null } })
  const shown = await history.getConversation('c')
  expect(shown).toMatchObject({ title: 'Paris', metadata: { b: 3, c: [4] } })
  await history.updateConversation('c', { title: null, metadata: { a: 5 } })
  const later = await history.getConversation('c')
  expect(later!.title).toBeUndefined()
  expect(later!.metadata).toEqual({ a: 5, b: 3, c: [4] })
})

test('a conversation that has messages only gets a record by an update; one that is not there gets none', async () => {
  const history = await open()
  await history.saveMessage('c', MESSAGE)
  expect(await history.getConversation('c')).toMatchObject({ messageCount: 1 })
  await history.updateConversation('c', { title: 'Found', owner: 'ann' })
  expect(await history.getConversation('c')).toMatchObject({ title: 'Found', messageCount: 1 })
  expect(await listed(history, { owner: 'ann' })).toEqual(['c'])
  expect(await listed(history, { orderBy: 'created' })).toEqual(['c'])
  const none = history.updateConversation('d', { title: 'x' })
  await expect(none).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('lists are in the order of the latest messages, whatever the pages', async () => {
  const history = await open()
  for (const id of ['a', 'b', 'c', 'd']) await history.createConversation(id, { owner: 'ann' })
  await history.createConversation('z', { owner: 'zoe' })
  await history.saveMessage('plain', MESSAGE)
  for (const id of ['b', 'd', 'b', 'b', 'a', 'b']) await history.saveMessage(id, MESSAGE)
  for (const limit of [1, 2, 50]) {
    expect(await listed(history, { owner: 'ann', limit })).toEqual(['b', 'a', 'd', 'c'])
    const all = ['b', 'a', 'd', 'plain', 'z', 'c']
    expect(await listed(history, { limit })).toEqual(all)
    expect(await listed(history, { orderBy: 'created', limit })).toEqual(['z', 'd', 'c', 'b', 'a'])
    const own = { owner: 'ann', orderBy: 'created', limit } as const
    expect(await listed(history, own)).toEqual(['d', 'c', 'b', 'a'])
  }
  const { conversations } = await history.listConversations()
  const times = conversations.map(({ lastActivityAt }) => lastActivityAt)
  expect(times).toEqual([...times].sort().reverse())
  expect(await history.countConversations()).toBe(6)
  expect(await history.countConversations({ owner: 'ann' })).toBe(4)
})

test('what begins with a title, or has a field, is found among the others', async () => {
  const history = await open()
  for (let i = 0; i < 30; i++) {
    const metadata = { third: i % 3 === 0, n: i }
    await history.createConversation(`c${i}`, { title: `${i % 2}-${i}`, owner: 'ann', metadata })
  }
  const found = await listed(history, { titlePrefix: '1-', metadata: { third: true }, limit: 2 })
  expect(found).toEqual(['c27', 'c21', 'c15', 'c9', 'c3'])
  expect(await listed(history, { owner: 'ann', metadata: { n: 7 } })).toEqual(['c7'])
  expect(await listed(history, { titlePrefix: '%' })).toEqual([])
})

test('another owner has the conversation, and the one before has it no more', async () => {
  const history = await open()
  await history.createConversation('c', { owner: 'ann' })
  await history.createConversation('d', { owner: 'ann' })
  for (const owner of ['bob', 'ann', 'bob', 'ann']) {
    await history.updateConversation('c', { owner })
    const other = owner === 'ann' ? 'bob' : 'ann'
    expect(await listed(history, { owner })).toContain('c')
    expect(await listed(history, { owner: other })).not.toContain('c')
  }
  expect(await history.countConversations({ owner: 'bob' })).toBe(0)
  await history.saveMessage('d', MESSAGE)
  expect(await listed(history, { owner: 'ann' })).toEqual(['d', 'c'])
  await history.updateConversation('c', { owner: null })
  expect(await listed(history, { owner: 'ann' })).toEqual(['d'])
  expect(await listed(history)).toEqual(['d', 'c'])
})

test('a deleted conversation is listed no more, and may be created again', async () => {
  const history = await open()
  const fields = { title: 'old', owner: 'ann', metadata: { a: 1 } }
  await history.createConversation('c', fields)
  await history.saveMessage('c', MESSAGE)
  const receipt = await history.deleteConversation('c', { wait: 'everywhere' })
  expect(receipt.clear).toEqual(['primary', 'backup'])
  expect(await history.getConversation('c')).toBeUndefined()
  expect(await listed(history)).toEqual([])
  expect(await listed(history, { owner: 'ann' })).toEqual([])
  expect(await history.countConversations()).toBe(0)
  await history.deleteConversation('c')
  await history.createConversation('c', { owner: 'ann' })
  expect(await history.getConversation('c')).toMatchObject({ metadata: {}, messageCount: 0 })
  expect((await history.getConversation('c'))!.title).toBeUndefined()
  expect(await listed(history, { owner: 'ann' })).toEqual(['c'])
})

test('a clear keeps the record, and the conversation is listed', async () => {
  const history = await open()
  await history.createConversation('c', { title: 'kept', owner: 'ann' })
  await history.saveMessage('c', MESSAGE)
  await history.clearHistory('c')
  expect(await history.getConversation('c')).toMatchObject({ title: 'kept', messageCount: 0 })
  expect(await listed(history)).toEqual(['c'])
  expect(await listed(history, { owner: 'ann' })).toEqual(['c'])
})

test('an erase takes the record along', async () => {
  const history = await open()
  await history.createConversation('c', { title: 'secret', owner: 'ann' })
  await history.createConversation('d', { title: 'other', owner: 'ann' })
  const receipt = await history.eraseConversation('c')
  expect(receipt.complete).toBe(true)
  expect(await history.getConversation('c')).toBeUndefined()
  expect(await listed(history, { owner: 'ann' })).toEqual(['d'])
  expect((await history.eraseTenant('')).complete).toBe(true)
  expect(await listed(history)).toEqual([])
  expect(await listed(history, { owner: 'ann' })).toEqual([])
  await history.createConversation('c', { owner: 'ann', createdAt: '2020-01-01T00:00:00Z' })
  expect(await listed(history, { owner: 'ann' })).toEqual(['c'])
  expect(await listed(history)).toEqual(['c'])
})

test('tenants of one store see their own', async () => {
  const history = await open({ tenant: 'a' })
  const other = history.forTenant('a:b')
  await history.createConversation('c', { owner: 'ann', title: 'mine' })
  await other.createConversation('c', { owner: 'ann', title: 'theirs' })
  await other.saveMessage('d', MESSAGE)
  expect(await history.getConversation('c')).toMatchObject({ title: 'mine' })
  expect(await listed(other, { owner: 'ann' })).toEqual(['c'])
  expect(await listed(other)).toEqual(['d', 'c'])
  await other.close()
  expect(await listed(history)).toEqual(['c'])
})

test('imported messages make a conversation as old as they are', async () => {
  const history = await open()
  await history.createConversation('now', { owner: 'ann' })
  await history.saveMessage('now', MESSAGE)
  const at = (day: number) => `2024-03-0${day}T12:00:00Z`
  const message = (day: number) => ({ ...MESSAGE, id: `m${day}`, createdAt: at(day) })
  await history.createConversation('old', { owner: 'ann', createdAt: at(1) })
  await history.createConversation('older', { owner: 'ann', createdAt: at(1) })
  await history.importMessages('old', [message(3), message(2), message(5)])
  await history.importMessages('old', [message(6)])
  await history.importMessages('older', [message(4)])
  expect(await listed(history, { owner: 'ann', limit: 1 })).toEqual(['now', 'old', 'older'])
  expect(await listed(history, { limit: 1 })).toEqual(['now', 'old', 'older'])
  const { conversations } = await history.listConversations({ owner: 'ann' })
  expect(conversations[1]).toMatchObject({ lastActivityAt: '2024-03-06T12:00:00.000Z' })
  const { messages } = await history.getHistory('old')
  expect(messages.map(({ id }) => id)).toEqual(['m3', 'm2', 'm5', 'm6'])
  // A repeat is recognised.
  await history.importMessages('old', [message(3), message(2), message(5)])
  expect(await history.countMessages('old')).toBe(4)
  await history.saveMessage('older', MESSAGE)
  expect(await listed(history, { owner: 'ann' })).toEqual(['older', 'now', 'old'])
})

test('the time of the latest message is that which it says', async () => {
  const history = await open()
  await history.saveMessage('c', { ...MESSAGE, createdAt: '2025-01-01T10:00:00+02:00' })
  const { conversations } = await history.listConversations()
  expect(conversations[0]!.lastActivityAt).toBe('2025-01-01T08:00:00.000Z')
  expect((await history.getConversation('c'))!.lastActivityAt).toBe('2025-01-01T08:00:00.000Z')
})

test.each([
  [{ title: '' }, 'title'],
  [{ title: 'x'.repeat(2_049) }, 'title'],
  [{ owner: 'x'.repeat(257) }, 'owner'],
  [{ metadata: [] }, 'metadata'],
  [{ metadata: { x: 'y'.repeat(65_536) } }, 'metadata.x'],
  [{ metadata: { ['n'.repeat(201)]: 1 } }, 'metadata'],
  [{ metadata: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, i])) }, '101'],
  [{ createdAt: 'yesterday' }, 'createdAt'],
  [{ name: 'x' }, 'name is not known'],
])('%j is refused before any effect', async (fields, named) => {
  const history = await open()
  const create = history.createConversation('c', fields as never)
  await expect(create).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  await expect(create).rejects.toThrow(named)
  expect(await history.countConversations()).toBe(0)
})

test('a record takes no more fields than it may have, and no empty patch', async () => {
  const history = await open()
  const metadata = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`n${i}`, i]))
  await history.createConversation('c', { metadata })
  const more = history.updateConversation('c', { metadata: { more: 1 } })
  await expect(more).rejects.toThrow('at most 100 fields, got 101')
  await history.updateConversation('c', { metadata: { n0: null, more: 1 } })
  await expect(history.updateConversation('c', {})).rejects.toThrow('title, owner or metadata')
  const cursor = history.listConversations({ owner: 'ann', before: 'nonsense' })
  await expect(cursor).rejects.toThrow('before must be')
})
