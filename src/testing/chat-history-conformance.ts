import { describe, expect, test } from 'vitest'
import type { ChatHistory } from '../chat/chat-history.ts'

export interface ChatHistoryConformanceOptions {
  /** Names the combination of engines and strategies in the output. */
  readonly name: string
  /** A new, empty history; the suite closes it. */
  readonly open: () => Promise<ChatHistory>
}

/** What every combination of engines and strategies promises to a user of `ChatHistory`. */
export function chatHistoryConformance({ name, open }: ChatHistoryConformanceOptions): void {
  describe(`${name}: ChatHistory contract`, () => {
    test('a saved message is read back with its id, time and fields', async () => {
      await using history = await open()
      const message = { role: 'user', content: 'Hello', mood: 'good' } as const
      const receipt = await history.saveMessage('c', message)
      const { messages } = await history.getHistory('c')
      expect(messages).toEqual([
        {
          id: receipt.id,
          role: 'user',
          content: 'Hello',
          mood: 'good',
          createdAt: expect.any(String),
        },
      ])
    })

    test('a thousand concurrent saves are all there once, in the order of their positions', async () => {
      await using history = await open()
      const receipts = await Promise.all(
        Array.from({ length: 1000 }, (_, i) =>
          history.saveMessage('c', { role: 'user', content: `${i}` }),
        ),
      )
      const seen: string[] = []
      for await (const message of history.messages('c')) seen.push(message.id)
      expect(seen).toEqual(receipts.map(({ id }) => id).sort())
      expect(await history.countMessages('c')).toBe(1000)
    })

    test('the same id with the same content is stored once, with other content it is a conflict', async () => {
      await using history = await open()
      const message = { id: 'm1', role: 'user', content: 'once' } as const
      const [first, second] = await Promise.all([
        history.saveMessage('c', message),
        history.saveMessage('c', message),
      ])
      expect(second.position).toBe(first.position)
      await expect(
        history.saveMessage('c', { ...message, content: 'twice' }),
      ).rejects.toMatchObject({
        code: 'CONFLICT',
        effect: 'none',
      })
      expect((await history.getHistory('c')).messages).toHaveLength(1)
    })

    test('a cleared conversation stays clear and can be used again', async () => {
      await using history = await open()
      await history.saveMessage('c', { role: 'user', content: 'old' })
      const receipt = await history.clearHistory('c', { wait: 'everywhere' })
      expect(receipt.clear).toEqual(['primary', 'backup'])
      await history.saveMessage('c', { role: 'user', content: 'new' })
      await history.flush()
      expect((await history.getHistory('c')).messages.map(({ content }) => content)).toEqual([
        'new',
      ])
    })

    test('an id is free after a clear, whatever became of its message before', async () => {
      await using history = await open()
      const save = (content: string) =>
        history.saveMessage('c', { id: 'm1', role: 'user', content })
      const shown = async () =>
        (await history.getHistory('c')).messages.map(({ content }) => content)
      await save('old')
      await history.updateMessage('c', 'm1', { role: 'user', content: 'edited' })
      await history.flush()
      await history.clearHistory('c')
      await save('after an edit')
      expect(await shown()).toEqual(['after an edit'])
      await history.deleteMessage('c', 'm1')
      await history.flush()
      await history.clearHistory('c')
      await save('after a removal')
      expect(await shown()).toEqual(['after a removal'])
      await history.flush()
      const report = await history.verify({ deep: true })
      expect([report.differing, report.damaged, report.missingInBackup]).toEqual([0, 0, 0])
      expect(await shown()).toEqual(['after a removal'])
    })

    test('an edit that meets a clear does not come back in the next message with its id', async () => {
      await using history = await open()
      for (let i = 0; i < 5; i++) {
        await history.saveMessage('c', { id: 'm1', role: 'user', content: `old ${i}` })
        await history.flush()
        const [, edited] = await Promise.allSettled([
          history.clearHistory('c'),
          history.updateMessage('c', 'm1', { role: 'user', content: 'edited' }),
        ])
        if (edited.status === 'rejected') expect(edited.reason).toMatchObject({ code: 'NOT_FOUND' })
        await history.flush()
        await history.saveMessage('c', { id: 'm1', role: 'user', content: `new ${i}` })
        await history.flush()
        const { messages } = await history.getHistory('c')
        expect(messages.map(({ content }) => content)).toEqual([`new ${i}`])
        await history.clearHistory('c')
      }
    })

    test('the id of a removed message cannot be used again before a clear', async () => {
      await using history = await open()
      const message = { id: 'm1', role: 'user', content: 'same' } as const
      await history.saveMessage('c', message)
      await history.deleteMessage('c', 'm1')
      await history.flush()
      for (const content of ['same', 'other']) {
        const again = history.saveMessage('c', { ...message, content })
        await expect(again).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
        await expect(again).rejects.toThrow('was removed and cannot be used again')
      }
      expect((await history.getHistory('c')).messages).toEqual([])
    })

    test('messages can be updated and removed, and listed conversations follow activity', async () => {
      await using history = await open()
      const { id } = await history.saveMessage('a', { role: 'user', content: 'draft' })
      const { id: gone } = await history.saveMessage('a', { role: 'assistant', content: 'no' })
      await history.saveMessage('b', { role: 'user', content: 'later' })
      await history.updateMessage('a', id, { role: 'user', content: 'final' })
      await history.deleteMessage('a', gone)
      await history.deleteMessage('a', gone)
      expect((await history.getHistory('a')).messages.map(({ content }) => content)).toEqual([
        'final',
      ])
      const { conversations } = await history.listConversations()
      expect(conversations.map(({ conversationId }) => conversationId)).toEqual(['b', 'a'])
      await expect(
        history.updateMessage('a', 'nobody', { role: 'user', content: 'x' }),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    test('pages go backwards and forwards without gaps', async () => {
      await using history = await open()
      for (let i = 0; i < 23; i++) await history.saveMessage('c', { role: 'user', content: `${i}` })
      const back: unknown[] = []
      let before: string | undefined
      do {
        const page = await history.getHistory('c', { limit: 5, ...(before && { before }) })
        back.unshift(...page.messages.map(({ content }) => content))
        before = page.nextCursor
      } while (before !== undefined)
      const all = Array.from({ length: 23 }, (_, i) => `${i}`)
      expect(back).toEqual(all)
      const forth: unknown[] = []
      for await (const { content } of history.messages('c')) forth.push(content)
      expect(forth).toEqual(all)
    })

    test('a window has the latest messages that fit, and no tool call without its result', async () => {
      await using history = await open()
      await history.saveMessages('c', [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'a' },
        { role: 'assistant', content: null, toolCalls: [{ id: 'x' }, { id: 'y' }] },
        { role: 'tool', content: 'X', toolCallId: 'x' },
        { role: 'tool', content: 'Y', toolCallId: 'y' },
        { role: 'assistant', content: 'b' },
      ])
      const shown = async (maxMessages: number, maxTokens = 100): Promise<unknown> => {
        const countTokens = (): number => 10
        const options = { maxMessages, maxTokens, countTokens, keepSystem: true }
        const { messages, tokens, truncated, oversized } = await history.window('c', options)
        const text = messages
          .map(({ content }) => (typeof content === 'string' ? content : '-'))
          .join(' ')
        return { text, tokens, truncated, ...oversized }
      }
      expect(await shown(4)).toEqual({ text: 'be brief b', tokens: 20, truncated: true })
      expect(await shown(5)).toEqual({ text: 'be brief - X Y b', tokens: 50, truncated: true })
      expect(await shown(9)).toEqual({ text: 'be brief a - X Y b', tokens: 60, truncated: false })
      expect(await shown(9, 55)).toEqual({ text: 'be brief - X Y b', tokens: 50, truncated: true })
      expect(await shown(1)).toMatchObject({ text: '', truncated: true, messages: 2 })
    })

    test('aligned pages have each message once, and begin with no tool result', async () => {
      await using history = await open()
      const turn = (i: number) =>
        [
          { role: 'assistant', content: null, toolCalls: [{ id: `${i}` }] },
          { role: 'tool', content: `${i}`, toolCallId: `${i}` },
        ] as const
      await history.saveMessages('c', [0, 1, 2, 3, 4].flatMap(turn))
      const seen: string[] = []
      let before: string | undefined
      do {
        const bound = before !== undefined && { before }
        const page = await history.getHistory('c', { limit: 3, alignTurns: true, ...bound })
        expect(page.messages.map(({ role }) => role)).toEqual(['assistant', 'tool'])
        seen.unshift(...page.messages.map(({ id }) => id))
        before = page.nextCursor
      } while (before !== undefined)
      const { messages } = await history.getHistory('c')
      expect(seen).toEqual(messages.map(({ id }) => id))
    })

    test('a tool call without a result is closed once, however often', async () => {
      await using history = await open()
      const call = { role: 'assistant', content: null, toolCalls: [{ id: 'x' }] } as const
      const { id } = await history.saveMessage('c', call)
      await history.flush()
      const { toolCalls } = await history.findDanglingToolCalls('c')
      expect(toolCalls).toMatchObject([{ messageId: id, toolCallId: 'x' }])
      await Promise.all([history.closeToolCalls('c'), history.closeToolCalls('c')])
      const { messages } = await history.getHistory('c')
      expect(messages.map(({ role }) => role)).toEqual(['assistant', 'tool'])
      expect(await history.findDanglingToolCalls('c')).toMatchObject({ toolCalls: [] })
    })

    test('a message that is written as a stream is seen as far as it has come, then whole', async () => {
      await using history = await open()
      await history.saveMessage('c', { role: 'user', content: 'Hello?' })
      const stream = await history.startMessage('c', { role: 'assistant', id: 'm' })
      for (const text of ['He', 'llo \ud83d', '\ude00\0']) {
        await stream.append(text)
        await stream.flush()
      }
      await stream.append({ at: ['metadata', 'model'], set: 'm' })
      await stream.flush()
      const whole = { id: 'm', content: 'Hello 😀\0', metadata: { model: 'm' } }
      const partial = { ...whole, status: 'in_progress' }
      expect(await history.getMessage('c', 'm')).toMatchObject(partial)
      expect((await history.getHistory('c')).messages[1]).toMatchObject(partial)
      await expect(history.startMessage('c', { role: 'assistant', id: 'm' })).rejects.toMatchObject(
        { code: 'CONFLICT', effect: 'none' },
      )
      const receipt = await stream.finish()
      expect(receipt).toMatchObject({ id: 'm', position: stream.receipt.position })
      const { messages } = await history.getHistory('c')
      expect(messages).toHaveLength(2)
      expect(messages[1]).toMatchObject({ ...whole, status: 'completed' })
      expect(await history.store.list('stream/')).toEqual([])
    })

    test('the deltas of a message go with its conversation', async () => {
      await using history = await open()
      const stream = await history.startMessage('c', { role: 'assistant' })
      await stream.append('text')
      await stream.flush()
      await history.clearHistory('c')
      expect((await history.getHistory('c')).messages).toEqual([])
      expect(await history.store.list('stream/')).toEqual([])
      // Where the log alone acknowledges, it is taken, and comes to nothing.
      const outcome = await stream.finish().catch((error: unknown) => error)
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'NOT_FOUND' })
      await history.flush()
      expect((await history.getHistory('c')).messages).toEqual([])
    })
  })
}
