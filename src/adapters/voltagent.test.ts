// Goal: VoltAgent's storage keeps what it is given, also beside other users, tenants and processes, and tells of outages. Method:
// two storages on a pair of databases in memory that can fail. Random programs beside the framework's own storage are in
// test/adapters/voltagent.
import { expect, test } from 'vitest'
import { adapterPlaces } from '../../test/support/adapter-places.ts'
import { openChatHistory } from '../index.ts'
import {
  EverthreadStorage,
  type VoltAgentMessage,
  type VoltAgentNewConversation,
  type VoltAgentStep,
  type VoltAgentWorkflowState,
} from './voltagent.ts'

function message(id: string, text = id): VoltAgentMessage {
  return { id, role: 'user', parts: [{ type: 'text', text }] }
}

function conversation(id: string, userId = 'ann'): VoltAgentNewConversation {
  return { id, userId, resourceId: 'agent', title: id, metadata: {} }
}

function step(id: string, conversationId = 'c'): VoltAgentStep {
  return { id, conversationId, userId: 'ann', operationId: 'o', stepIndex: 0 }
}

function run(id: string, workflowId = 'w'): VoltAgentWorkflowState {
  const createdAt = new Date(1_700_000_000_000)
  return { id, workflowId, status: 'running', createdAt, updatedAt: createdAt }
}

async function ids(
  storage: EverthreadStorage,
  user = 'ann',
  conversationId = 'c',
): Promise<string[]> {
  return (await storage.getMessages(user, conversationId)).map(({ id }) => id)
}

test('reasoning, tool calls and any text come back as they were, and stand in the history', async () => {
  const { history } = await adapterPlaces()
  const storage = new EverthreadStorage(history)
  const text = 'NUL \0, lone \ud800, 漢字 👩‍👩‍👧'
  const parts = [
    { type: 'reasoning', text, providerMetadata: { p: { signature: text } } },
    {
      type: 'tool-search',
      toolCallId: 't',
      state: 'output-available',
      input: { text },
      output: [],
    },
    { type: 'tool-search', toolCallId: 'u', state: 'input-streaming', rawInput: '{"a' },
    { type: 'text', text, state: 'done' },
  ]
  await storage.createConversation({
    ...conversation('c'),
    title: text.repeat(200),
    metadata: { text, none: null },
  })
  await storage.addMessage({ id: 'm', role: 'assistant', parts, metadata: { text } }, 'ann', 'c')
  const [read] = await storage.getMessages('ann', 'c')
  expect(read).toMatchObject({ id: 'm', role: 'assistant', parts, metadata: { text } })
  expect((read!.metadata as { createdAt: unknown }).createdAt).toBeInstanceOf(Date)
  const record = await storage.getConversation('c')
  expect(record).toMatchObject({ title: text.repeat(200), metadata: { text, none: null } })
  const { messages } = await history.getHistory('c')
  expect(messages).toMatchObject([{ id: 'm', role: 'assistant', parts, userId: 'ann' }])
  const { conversations } = await history.listConversations({ owner: 'ann' })
  expect(conversations.map(({ conversationId }) => conversationId)).toEqual(['c'])
})

test('what others saved to the conversation is shown to its owner alone', async () => {
  const { history } = await adapterPlaces()
  const storage = new EverthreadStorage(history)
  await history.createConversation('c', { owner: 'ann', title: 'Ours' })
  await history.saveMessage('c', { id: 'o', role: 'user', content: 'Hello' })
  await storage.addMessage(message('m'), 'ann', 'c')
  const shown = await storage.getMessages('ann', 'c')
  expect(shown.map(({ id, parts }) => [id, parts])).toEqual([
    ['o', [{ type: 'text', text: 'Hello' }]],
    ['m', [{ type: 'text', text: 'm' }]],
  ])
  expect(await ids(storage, 'bob')).toEqual([])
  expect(await storage.getConversation('c')).toMatchObject({ title: 'Ours', resourceId: '' })
})

test('one id of two users is two messages, and neither moves', async () => {
  const { history } = await adapterPlaces()
  const storage = new EverthreadStorage(history)
  await storage.addMessage(message('m', 'of ann'), 'ann', 'c')
  await storage.addMessage(message('m', 'of bob'), 'bob', 'c')
  await storage.addMessage(message('m', 'of bob again'), 'bob', 'c')
  expect(await storage.getMessages('ann', 'c')).toMatchObject([message('m', 'of ann')])
  expect(await storage.getMessages('bob', 'c')).toMatchObject([message('m', 'of bob again')])
})

test('what was deleted or cleared answers nobody, and its ids can be used again', async () => {
  const { history, other } = await adapterPlaces()
  const [storage, second] = [new EverthreadStorage(history), new EverthreadStorage(other)]
  await storage.createConversation(conversation('c'))
  await storage.addMessages([message('m'), message('n')], 'ann', 'c')
  await storage.deleteMessages(['m', 'never'], 'ann', 'c')
  expect(await ids(second)).toEqual(['n'])
  await second.addMessage(message('m', 'again'), 'ann', 'c')
  expect(await storage.getMessages('ann', 'c')).toMatchObject([message('n'), message('m', 'again')])
  await storage.saveConversationSteps([step('s')])
  await second.deleteConversation('c')
  expect(await ids(storage)).toEqual([])
  expect(await storage.getConversation('c')).toBeNull()
  expect(await storage.getConversationSteps('ann', 'c')).toEqual([])
  await storage.createConversation(conversation('c'))
  await storage.addMessage(message('m', 'anew'), 'ann', 'c')
  expect(await second.getMessages('ann', 'c')).toMatchObject([message('m', 'anew')])
  await expect(storage.deleteConversation('never')).rejects.toMatchObject({
    name: 'ConversationNotFoundError',
    code: 'CONVERSATION_NOT_FOUND',
    details: { conversationId: 'never' },
  })
})

test('a clear of all of a user leaves what is of others', async () => {
  const { history, other } = await adapterPlaces()
  const storage = new EverthreadStorage(history)
  await storage.createConversation(conversation('owned'))
  await storage.createConversation(conversation('shared', 'bob'))
  for (const id of ['owned', 'shared', 'without record']) {
    await storage.addMessage(message('a'), 'ann', id)
    await storage.addMessage(message('b'), 'bob', id)
  }
  await storage.saveConversationSteps([step('s', 'owned')])
  await new EverthreadStorage(other).clearMessages('ann')
  for (const id of ['owned', 'shared', 'without record']) {
    expect(await ids(storage, 'ann', id)).toEqual([])
    expect(await ids(storage, 'bob', id)).toEqual(['b'])
  }
  expect(await storage.getConversationSteps('ann', 'owned')).toEqual([])
  expect(await storage.countConversations({ userId: 'ann' })).toBe(1)
})

test('of two tenants each has its own, and an erase takes all of one', async () => {
  const { history } = await adapterPlaces()
  const storages = ['a', 'b'].map((tenant) => new EverthreadStorage(history.forTenant(tenant)))
  for (const [i, storage] of storages.entries()) {
    await storage.createConversation(conversation('c'))
    await storage.addMessage(message(`m${i}`), 'ann', 'c')
    await storage.saveConversationSteps([step(`s${i}`)])
    await storage.setWorkingMemory({ scope: 'user', userId: 'ann', content: `memory ${i}` })
    await storage.setWorkflowState('r', run(`r${i}`))
  }
  const [a, b] = storages as [EverthreadStorage, EverthreadStorage]
  expect(await ids(a)).toEqual(['m0'])
  expect(await ids(b)).toEqual(['m1'])
  expect(await a.queryConversations({})).toHaveLength(1)
  await history.forTenant('a').eraseTenant('a')
  expect(await ids(a)).toEqual([])
  expect(await a.getWorkingMemory({ scope: 'user', userId: 'ann' })).toBeNull()
  expect(await a.queryWorkflowRuns({})).toEqual([])
  expect(await a.getConversationSteps('ann', 'c')).toEqual([])
  expect(await b.getConversationSteps('ann', 'c')).toHaveLength(1)
  expect(await b.getWorkingMemory({ scope: 'user', userId: 'ann' })).toBe('memory 1')
})

test('an outage is an error with its effect, or the answer of the backup', async () => {
  const { history, primary, backup } = await adapterPlaces()
  const storage = new EverthreadStorage(history)
  await storage.createConversation(conversation('c'))
  await storage.addMessage(message('m'), 'ann', 'c')
  await storage.setWorkflowState('r', run('r'))
  await history.flush()
  primary.setMode('refused')
  expect(await ids(storage)).toEqual(['m'])
  expect(await storage.getConversation('c')).toMatchObject({ id: 'c', userId: 'ann' })
  await storage.addMessage(message('n'), 'ann', 'c')
  expect(await ids(storage)).toEqual(['m', 'n'])
  backup.setMode('refused')
  const calls = [
    storage.getMessages('ann', 'c'),
    storage.getConversation('c'),
    storage.queryConversations({ userId: 'ann' }),
    storage.getWorkingMemory({ scope: 'user', userId: 'ann' }),
    storage.getConversationSteps('ann', 'c'),
    storage.getWorkflowState('r'),
    storage.queryWorkflowRuns({ workflowId: 'w' }),
    storage.clearMessages('ann'),
  ]
  for (const call of await Promise.allSettled(calls)) {
    expect(call).toMatchObject({
      reason: { name: 'StorageError', code: 'UNAVAILABLE', effect: 'none' },
    })
  }
})

test('what is wrong is refused before anything is saved', async () => {
  const { history } = await adapterPlaces()
  const storage = new EverthreadStorage(history)
  const wrong: readonly unknown[] = [
    message(''),
    { role: 'user', parts: [] },
    { id: 'x', role: 'bot', parts: [] },
    { id: 'x', role: 'user' },
    { id: 'x', role: 'user', parts: [{ type: 'text', text: 1n }] },
    null,
  ]
  for (const each of wrong) {
    await expect(
      storage.addMessages([message('m'), each as VoltAgentMessage], 'ann', 'c'),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  }
  await expect(storage.addMessage(message('m'), '', 'c')).rejects.toThrow(
    'userId must not be empty',
  )
  await expect(storage.queryConversations({ limit: -1 })).rejects.toThrow('limit must be')
  expect(await ids(storage)).toEqual([])
})

test('fields that two processes change at once are both kept', async () => {
  const { history, other } = await adapterPlaces()
  const [one, two] = [new EverthreadStorage(history), new EverthreadStorage(other)]
  await one.setWorkflowState('r', run('r'))
  await one.createConversation(conversation('c'))
  const updates = Array.from({ length: 10 }, (_, i) => {
    return (i % 2 === 0 ? one : two).updateWorkflowState('r', { [`field${i}`]: i } as object)
  })
  await Promise.all([
    ...updates,
    one.updateConversation('c', { title: 'New' }),
    two.setWorkingMemory({ scope: 'conversation', conversationId: 'c', content: 'remember' }),
  ])
  const state = await two.getWorkflowState<Record<string, unknown>>('r')
  for (let i = 0; i < 10; i++) expect(state).toHaveProperty(`field${i}`, i)
  const kept = await one.getConversation('c')
  expect(kept).toMatchObject({ title: 'New', metadata: { workingMemory: 'remember' } })
  await expect(one.updateWorkflowState('never', {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('of many that create one conversation at once one does', async () => {
  const { history, other } = await adapterPlaces()
  const storages = [new EverthreadStorage(history), new EverthreadStorage(other)]
  const created = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => {
      return storages[i % 2]!.createConversation({ ...conversation('c'), title: `${i}` })
    }),
  )
  expect(created.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const each of created.filter(({ status }) => status === 'rejected')) {
    expect(each).toMatchObject({ reason: { code: 'CONVERSATION_ALREADY_EXISTS' } })
  }
})

test('a page of the newest conversations reads no further', async () => {
  const { history, primary } = await adapterPlaces()
  const storage = new EverthreadStorage(history)
  for (let i = 0; i < 60; i++) await storage.createConversation(conversation(`c${i}`))
  const before = primary.calls.get('readItemsById') ?? 0
  const page = await storage.getConversationsByUserId('ann', { limit: 3 })
  expect(page.map(({ id }) => id)).toEqual(['c59', 'c58', 'c57'])
  expect((primary.calls.get('readItemsById') ?? 0) - before).toBeLessThan(10)
})

test('in files it is there for the next process', async () => {
  const { mkdtemp, rm } = await import('node:fs/promises')
  const { tmpdir } = await import('node:os')
  const folder = await mkdtemp(`${tmpdir()}/everthread-voltagent-`)
  const options = {
    primary: `sqlite:${folder}/a.db`,
    backup: `sqlite:${folder}/b.db`,
    wal: 'memory:',
  }
  try {
    {
      await using history = await openChatHistory({ ...options, logger: false })
      const storage = new EverthreadStorage(history)
      await storage.createConversation(conversation('c'))
      await storage.addMessages([message('m'), message('n')], 'ann', 'c')
      await storage.setWorkflowState('r', { ...run('r'), status: 'suspended' })
    }
    await using history = await openChatHistory({ ...options, logger: false })
    const storage = new EverthreadStorage(history)
    expect(await ids(storage)).toEqual(['m', 'n'])
    expect(await storage.getSuspendedWorkflowStates('w')).toEqual([
      { ...run('r'), status: 'suspended' },
    ])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
