// Goal: items without a role stand beside messages and are paired like them: windows and pages never tear a
// call from its result, nor what a model thought from what it led to. Method: conversations of OpenAI's
// Responses in memory, random ones against the rules that its API refuses requests for.
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'

async function opened(options?: ChatHistoryOptions): Promise<ChatHistory<'responses'>> {
  const history = await openChatHistory<'responses'>({
    ...options,
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
  })
  onTestFinished(() => history.close())
  return history
}

interface Item {
  readonly id?: string
  readonly type: string
  readonly role?: string
  readonly call_id?: string
}

/** Conversations as letters: user, assistant, reasoning, call and result of a or b. */
function itemOf(letter: string, i: number): Item & Record<string, unknown> {
  const id = `${letter}${i}`
  switch (letter) {
    case 'u':
      return { id, type: 'message', role: 'user', content: 'x' }
    case 'm':
      return { id, type: 'message', role: 'assistant', content: 'x' }
    case 'r':
      return { id, type: 'reasoning', summary: [] }
    case 'a':
    case 'b':
      return { id, type: 'function_call', call_id: letter, name: 'f', arguments: '{}' }
    default:
      return { id, type: 'function_call_output', call_id: letter.toLowerCase(), output: '1' }
  }
}

async function saved(letters: string): Promise<ChatHistory<'responses'>> {
  const history = await opened()
  if (letters !== '') await history.saveItems('c', letters.split('').map(itemOf) as never)
  return history
}

function lettersOf(items: readonly object[]): string {
  return items.map((item) => (item as { id: string }).id[0]).join('')
}

test('what was thought stays with what it led to, whatever fits', async () => {
  const history = await saved('urmurraAm')
  const windows = []
  for (let maxMessages = 1; maxMessages <= 9; maxMessages++) {
    const { messages } = await history.window('c', { maxMessages })
    windows.push(lettersOf(messages))
  }
  // The turn of the call has four: two thoughts, the call, its result.
  expect(windows).toEqual([
    'm',
    'm',
    'm',
    'm',
    'rraAm',
    'urraAm',
    'urraAm',
    'rmurraAm',
    'urmurraAm',
  ])
})

test('a thought that led to nothing, or to a call without a result, is left out and named', async () => {
  const history = await saved('uraumrA')
  const { messages, leftOut } = await history.window('c', { maxMessages: 10 })
  expect([lettersOf(messages), leftOut]).toEqual(['uraAum', ['r5']])
  const dangling = await (await saved('urar')).window('c', { maxMessages: 10 })
  expect([lettersOf(dangling.messages), dangling.leftOut]).toEqual(['u', ['r1', 'a2', 'r3']])
})

/** What OpenAI refuses. */
function refusal(items: readonly object[]): string | undefined {
  const letters = lettersOf(items)
  if (/r(?![rmab])/.test(letters)) return 'reasoning without what follows'
  const open = new Set<string>()
  for (const letter of letters) {
    if (letter === 'a' || letter === 'b') open.add(letter)
    if (letter === 'A' || letter === 'B') {
      if (!open.delete(letter.toLowerCase())) return 'a result without its call'
    }
  }
  return open.size > 0 ? 'a call without a result' : undefined
}

test('no window is refused, and each thought that led to something in it is in it', async () => {
  const letters = fc
    .array(fc.constantFrom('u', 'm', 'rm', 'ra', 'a', 'A', 'B', 'rb', 'b', 'r'), { maxLength: 14 })
    .map((parts) =>
      parts
        .join('')
        .replace(/(?<=a.*)a/g, 'm')
        .replace(/(?<=b.*)b/g, 'm')
        .replace(/(?<=A.*)A/g, 'u')
        .replace(/(?<=B.*)B/g, 'u'),
    )
  await fc.assert(
    fc.asyncProperty(letters, fc.integer({ min: 1, max: 14 }), async (all, maxMessages) => {
      const history = await saved(all)
      try {
        const { messages } = await history.window('c', { maxMessages })
        expect([all, lettersOf(messages), refusal(messages)]).toEqual([
          all,
          lettersOf(messages),
          undefined,
        ])
        // What stands in front of a shown item, without anything between.
        const shown = new Set(messages.map(({ id }) => id))
        for (const [i, letter] of all.split('').entries()) {
          const isShown = shown.has(`${letter}${i}`)
          if ('mab'.includes(letter) && isShown && all[i - 1] === 'r') {
            expect([all, shown.has(`r${i - 1}`)]).toEqual([all, true])
          }
        }
      } finally {
        await history.close()
      }
    }),
    { numRuns: 300 },
  )
})

test('pages by turns do not begin behind a thought', async () => {
  const history = await saved('uurmurmurm')
  for (const order of ['newest', 'oldest'] as const) {
    const pages: string[] = []
    let cursor: string | undefined
    do {
      const bound = cursor && { [order === 'newest' ? 'before' : 'after']: cursor }
      const page = await history.getHistory('c', { limit: 2, order, alignTurns: true, ...bound })
      const letters = lettersOf(page.messages)
      pages.push(order === 'newest' ? letters.split('').reverse().join('') : letters)
      cursor = page.nextCursor
    } while (cursor !== undefined)
    const inOrder = order === 'newest' ? pages.reverse() : pages
    expect(inOrder.join('')).toBe('uurmurmurm')
    expect(inOrder.filter((page) => page.startsWith('m') || page.endsWith('r'))).toEqual([])
  }
})

test('retention does not cut behind a thought', async () => {
  const history = await opened({ retention: { maxMessages: 3 } })
  await history.saveItems('c', 'uurmum'.split('').map(itemOf) as never)
  await history.applyRetention()
  // Three may stay: the cut would be behind the thought.
  expect(lettersOf((await history.getHistory('c')).messages)).toBe('rmum')
})

test('a call without a role is closed by an item without one', async () => {
  const history = await saved('urau')
  const { closed } = await history.closeToolCalls('c', { content: 'gone' })
  expect(closed).toMatchObject([{ messageId: 'a2', toolCallId: 'a' }])
  const { messages } = await history.window('c', { maxMessages: 10 })
  const closing = messages[3] as Readonly<Record<string, unknown>>
  expect(closing).toMatchObject({ type: 'function_call_output', call_id: 'a', output: 'gone' })
  expect('role' in closing).toBe(false)
  await history.saveItems('c', [itemOf('A', 9)] as never)
  expect(lettersOf((await history.window('c', { maxMessages: 10 })).messages)).toBe('uraAu')
})

test('stored messages of LangChain are paired, and their calls are closed in their form', async () => {
  const history = await openChatHistory<'langchain'>({
    primary: 'memory:',
    backup: 'memory:',
    wal: 'memory:',
  })
  onTestFinished(() => history.close())
  await history.saveItems('c', [
    { type: 'human', data: { content: 'x' } },
    { type: 'ai', data: { content: '', tool_calls: [{ name: 'f', args: {}, id: 't' }] } },
    { type: 'ai', data: { content: '', tool_calls: [{ name: 'f', args: {}, id: 'open' }] } },
    { type: 'tool', data: { content: '1', tool_call_id: 't' } },
  ])
  expect((await history.closeToolCalls('c')).closed).toMatchObject([{ toolCallId: 'open' }])
  const { messages } = await history.window('c', { maxMessages: 3 })
  expect(messages.map(({ type }) => type)).toEqual(['ai', 'tool'])
  expect(messages[1]!.data).toMatchObject({ tool_call_id: 'open', status: 'error' })
})

test.each([
  [{ type: '' }, /^item\.role must be one of .*, or left out beside a type, got undefined$/],
  [{ type: 1 }, /^item\.role/],
  [{}, /^item\.role/],
  [{ role: 'usr', type: 'message', content: '' }, /^item\.role .* got "usr"$/],
  [{ type: 'x', createdAt: 'today' }, /^item\.createdAt must be a time/],
  [{ role: 'user' }, /^item\.content must be/],
  [{ role: 'user', parts: ['x'] }, /^item\.parts must be an array of objects/],
])('%j is refused before any effect', async (item, message) => {
  const history = await opened()
  await expect(history.saveItems('c', [item as never])).rejects.toThrow(message)
  expect(await history.countMessages('c')).toBe(0)
})

test('`saveMessage` takes no item, and says what does', async () => {
  const history = await opened()
  const call = history.saveMessage('c', { type: 'reasoning', summary: [] } as never)
  await expect(call).rejects.toThrow('message has no role: saveItems takes it')
})
