// Goal: a chat that is handed over changes what differs, loses nothing, and brings nothing twice. Method: chats as clients send
// them, on databases in memory; stamps tell what was written.
import type { UIMessage } from 'ai'
import { expect, test } from 'vitest'
import { streamRig } from '../../../test/support/stream-rig.ts'
import { textsOf, user } from '../../../test/support/ui-chats.ts'
import { EverthreadChats } from '../ai-sdk.ts'

const half: UIMessage = {
  id: 'a1',
  role: 'assistant',
  parts: [{ type: 'text', text: 'Hi', state: 'streaming' }],
}

test('of the whole chat changes what differs, and nothing else', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const whole: UIMessage = { ...half, parts: [{ type: 'text', text: 'Hi', state: 'done' }] }
  const messages = [user('u1', 'Hello'), whole, user('u2', 'Go on')]
  expect(await chats.saveChat({ chatId: 'c', messages })).toEqual(messages)
  const stamps = async (): Promise<unknown[]> => {
    const entries = ['u1', 'a1', 'u2'].map((id) => history.getMessageEntry('c', id))
    return (await Promise.all(entries)).map((entry) => entry?.stamp)
  }
  const before = await stamps()
  const fields = messages.map(({ parts, role, id }) => ({ parts, metadata: undefined, role, id }))
  await chats.saveChat({ chatId: 'c', messages: fields })
  expect(await stamps()).toEqual(before)
  const edited = { ...whole, metadata: { rating: 1 } }
  await chats.saveChat({ chatId: 'c', messages: [messages[0]!, edited, messages[2]!] })
  const after = await stamps()
  expect(after.map((stamp, i) => stamp === before[i])).toEqual([true, false, true])
  expect((await chats.loadChat('c'))[1]).toEqual(edited)
})

test('takes no copy that is behind, and no edit of what is being written', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const whole: UIMessage = {
    ...half,
    parts: [
      { type: 'text', text: 'Hi there', state: 'done' },
      { type: 'tool-x', toolCallId: 'k', state: 'output-available', input: {}, output: 1 },
    ],
  }
  await chats.saveChat({ chatId: 'c', messages: [user('u1', 'Hello'), whole] })
  for (const parts of [
    half.parts,
    [whole.parts[0], { type: 'tool-x', toolCallId: 'k', state: 'input-available', input: {} }],
    [whole.parts[0], { type: 'tool-x', toolCallId: 'k', state: 'input-streaming', rawInput: '{' }],
  ] as UIMessage['parts'][]) {
    const messages = [user('u1', 'Hello'), { ...half, parts }, user('u2', 'Go on')]
    const saved = await chats.saveChat({ chatId: 'c', messages })
    expect(saved[1]).toEqual(whole)
  }
  const turn = await chats.start({ chatId: 'c', messages: [user('u2', 'Go on')], id: 'a2' })
  await turn.append({ type: 'text-start', id: 't' })
  await turn.append({ type: 'text-delta', id: 't', delta: 'We' })
  await chats.saveChat({ chatId: 'c', messages: [{ ...half, id: 'a2', parts: [] }] })
  await turn.append({ type: 'text-delta', id: 't', delta: 'll' })
  await turn.append({ type: 'text-end', id: 't' })
  await turn.end()
  expect((await textsOf(chats)).at(-1)).toBe('assistant: Well')
  const longer = { ...half, id: 'a2', parts: [{ type: 'text', text: 'Well.', state: 'done' }] }
  await chats.saveChat({ chatId: 'c', messages: [longer as UIMessage] })
  expect((await textsOf(chats)).at(-1)).toBe('assistant: Well.')
})

test('knows a history that comes under other ids, and the same words said twice', async () => {
  const chats = new EverthreadChats(await streamRig().open())
  const messages = [user('u1', 'yes'), half, user('u2', 'yes'), user('u3', 'yes')]
  await chats.saveChat({ chatId: 'c', messages })
  const other = messages.map((message, i) => ({ ...message, id: `other-${i}` }))
  await chats.saveChat({ chatId: 'c', messages: [...other, user('u4', 'yes')] })
  expect((await chats.loadChat('c')).map(({ id }) => id)).toEqual(['u1', 'a1', 'u2', 'u3', 'u4'])
})

test('removes what is missing only if it is told to', async () => {
  const chats = new EverthreadChats(await streamRig().open())
  await chats.saveChat({ chatId: 'c', messages: [user('u1', 'Hello'), half] })
  await chats.saveChat({ chatId: 'c', messages: [user('u1', 'Hello')] })
  expect(await textsOf(chats)).toHaveLength(2)
  await chats.saveChat({ chatId: 'c', messages: [user('u1', 'Hello')], missing: 'remove' })
  expect(await textsOf(chats)).toEqual(['user: Hello'])
})

test('keeps any text, tenants apart, and a cleared chat clear', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  const others = new EverthreadChats(history.forTenant('t2'))
  const said = 'NUL \0, half \ud83d, whole 😀, שלום'
  await chats.saveChat({ chatId: 'c', messages: [user('u1', said)] })
  expect(await chats.loadChat('c')).toEqual([user('u1', said)])
  expect(await others.loadChat('c')).toEqual([])
  await others.saveChat({ chatId: 'c', messages: [user('u1', 'mine')] })
  await history.clearHistory('c')
  expect(await chats.loadChat('c')).toEqual([])
  await chats.saveChat({ chatId: 'c', messages: [user('u1', 'again')] })
  expect([await textsOf(chats), await textsOf(others)]).toEqual([['user: again'], ['user: mine']])
})

test('shows and is shown what the history has in other shapes', async () => {
  const history = await streamRig().open()
  const chats = new EverthreadChats(history)
  await history.saveMessages('c', [
    { id: 'o1', role: 'user', content: 'Hello' },
    { id: 'o2', role: 'assistant', content: 'Hi' },
  ])
  const loaded = await chats.loadChat('c')
  await chats.saveChat({ chatId: 'c', messages: [...loaded, user('u1', 'Bye')] })
  expect(await textsOf(chats)).toEqual(['user: Hello', 'assistant: Hi', 'user: Bye'])
  const { messages } = await history.getHistory('c')
  expect(messages).toMatchObject([
    { content: 'Hello' },
    { content: 'Hi' },
    { parts: [{ text: 'Bye' }] },
  ])
})

test('refuses what is no message before any effect, and an outage is no empty chat', async () => {
  const { primary, backup, open } = streamRig()
  const chats = new EverthreadChats(await open())
  const wrong = { id: 'u2', role: 'user', content: 'x' } as object as UIMessage
  await expect(
    chats.saveChat({ chatId: 'c', messages: [user('u1', 'Hello'), wrong] }),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  expect(await chats.loadChat('c')).toEqual([])
  await chats.saveChat({ chatId: 'c', messages: [user('u1', 'Hello')] })
  primary.setMode('refused')
  expect(await textsOf(chats)).toEqual(['user: Hello'])
  backup.setMode('refused')
  await expect(chats.loadChat('c')).rejects.toMatchObject({ effect: 'none' })
  await expect(chats.resume('c')).rejects.toMatchObject({ effect: 'none' })
})
