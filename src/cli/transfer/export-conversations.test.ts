import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { ChatMessage } from '../../chat/message.ts'
import type { Stamp } from '../../core/stamp.ts'
import { parseConversation } from '../jsonl/parse-conversation.ts'
import { readLines } from '../jsonl/read-lines.ts'
import type { ConversationSource } from './conversation-source.ts'
import { exportConversations, type ExportOptions } from './export-conversations.ts'
import type { ExportReport } from './export-report.ts'

/** Conversations of one message a page, begun in the order of their numbers. */
function sourceOf(
  conversations: Readonly<Record<string, { began: number; texts: readonly string[] }>>,
  complete = true,
): ConversationSource {
  return {
    conversationIds: async () => Object.keys(conversations),
    async firstPosition(id) {
      const began = conversations[id]?.began
      return began === undefined
        ? undefined
        : (`00000000-000${began}-7000-8000-000000000000` as Stamp)
    },
    async *batches(id) {
      for (const [i, text] of (conversations[id]?.texts ?? []).entries()) {
        yield { messages: [message(`import-${i}`, text)], complete }
      }
    },
  }
}

function message(id: string, content: string): ChatMessage {
  return { id, role: 'user', content, createdAt: '2026-01-01T00:00:00.000Z' }
}

async function run(
  source: ConversationSource,
  options: Partial<ExportOptions> = {},
): Promise<{ report: ExportReport; text: string }> {
  let text = ''
  const report = await exportConversations({
    source,
    conversations: [],
    format: 'openai',
    write: async (part) => void (text += part),
    signal: new AbortController().signal,
    onProgress: () => {},
    ...options,
  })
  return { report, text }
}

const TWO = sourceOf({ b: { began: 2, texts: ['3'] }, z: { began: 1, texts: ['1', '2'] } })

test('conversations are written in the order they began, a line each', async () => {
  const { report, text } = await run(TWO)
  expect(text).toBe(
    '{"conversationId":"z","messages":[{"role":"user","content":"1"},{"role":"user","content":"2"}]}\n' +
      '{"conversationId":"b","messages":[{"role":"user","content":"3"}]}\n',
  )
  expect(report).toMatchObject({ conversations: 2, messages: 3, missing: [], complete: true })
})

test('a conversation that was asked for and is not there is named, and writes nothing', async () => {
  const { report, text } = await run(TWO, { conversations: ['nope', 'b', 'b'] })
  expect(text.split('\n')).toHaveLength(2)
  expect(report).toMatchObject({ conversations: 1, missing: ['nope'] })
})

test('a conversation that is cleared between the look-up and the read leaves no line', async () => {
  const { report, text } = await run(sourceOf({ a: { began: 1, texts: [] } }))
  expect(text).toBe('')
  expect(report).toMatchObject({ conversations: 0, missing: [] })
})

test('one incomplete page makes the export incomplete', async () => {
  const { report } = await run(sourceOf({ a: { began: 1, texts: ['1'] } }, false))
  expect(report.complete).toBe(false)
})

test('an interruption ends behind a whole line and names the next conversation', async () => {
  const stop = new AbortController()
  const { report, text } = await run(TWO, { signal: stop.signal, onProgress: () => stop.abort() })
  expect(text).toMatch(/^[^\n]*\n$/)
  expect(report).toMatchObject({ conversations: 1, stoppedAt: 'b' })
})

test('a long conversation is written in parts that make one line', async () => {
  const texts = Array.from({ length: 50 }, (_, i) => `${i}`.repeat(10_000))
  let parts = 0
  let text = ''
  await run(sourceOf({ a: { began: 1, texts } }), {
    write: async (part) => {
      parts++
      text += part
    },
  })
  expect(parts).toBeGreaterThan(1)
  const line = JSON.parse(text) as { messages: { content: string }[] }
  expect(line.messages.map(({ content }) => content)).toEqual(texts)
})

test('a long conversation goes on in more lines, and is read back with the same ids', async () => {
  const texts = Array.from({ length: 7 }, (_, i) => `text ${i}`)
  const source = sourceOf({ a: { began: 1, texts } })
  const { report, text } = await run(source, { lineBytes: 60 })
  expect(report).toMatchObject({ conversations: 1, messages: 7 })
  const lines = []
  for await (const line of readLines(Readable.from([Buffer.from(text)]))) {
    if ('text' in line) lines.push(parseConversation(line.text))
  }
  expect(lines.map(({ conversationId }) => conversationId)).toEqual(lines.map(() => 'a'))
  expect(lines.length).toBeGreaterThan(2)
  const messages = lines.flatMap((line) => line.messages)
  expect(messages.map(({ id }) => id)).toEqual(texts.map((_, i) => `import-${i}`))
  expect(messages.map(({ content }) => content)).toEqual(texts)
})
