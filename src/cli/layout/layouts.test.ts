import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChatMessage } from '../../chat/message.ts'
import { layoutOf, type LayoutName } from './layout-of.ts'

const TIME = '2026-01-01T00:00:00.000Z'

function message(fields: object): ChatMessage {
  return { id: 'm', role: 'user', content: '', createdAt: TIME, ...fields } as ChatMessage
}

function written(name: LayoutName, id: string, messages: readonly ChatMessage[]): string {
  const { begin, conversation, end } = layoutOf(name)
  const text = conversation(id)
  return begin + messages.map((each) => text.add(each)).join('') + text.end() + end
}

const CALL = { id: 'call-1', type: 'function', function: { name: 'f', arguments: '{}' } }
const MESSAGES = [
  message({ content: 'Hello *you*', metadata: { conversation: { title: 'A # title' } } }),
  message({ role: 'assistant', content: null, toolCalls: [CALL] }),
  message({ role: 'tool', name: 'f', toolCallId: 'call-1', content: '42' }),
  message({
    role: 'assistant',
    content: [
      { type: 'text', text: 'Two\n\n## user\nlines' },
      { type: 'image_url', image_url: { url: 'https://example.org/```x' } },
    ],
  }),
]

test('Markdown has a heading a message, and quotes what was said', () => {
  expect(written('markdown', 'c-1', MESSAGES)).toBe(`# A \\# title

## user · ${TIME}

> Hello *you*

## assistant · ${TIME}

> \`\`\`json
> {
>   "id": "call-1",
>   "type": "function",
>   "function": {
>     "name": "f",
>     "arguments": "{}"
>   }
> }
> \`\`\`

## tool · f · call-1 · ${TIME}

> 42

## assistant · ${TIME}

> Two
>
> ## user
> lines

> \`\`\`\`json
> {
>   "type": "image_url",
>   "image_url": {
>     "url": "https://example.org/\`\`\`x"
>   }
> }
> \`\`\`\`

`)
})

test('HTML has an article a conversation', () => {
  const page = written('html', 'c-1', MESSAGES)
  expect(page).toMatch(/^<!doctype html>\n/)
  expect(page).toContain('<h1 dir="auto">A # title</h1>')
  expect(page).toContain(`<h2>tool · f · call-1 · ${TIME}</h2>\n<p dir="auto">42</p>`)
  expect(page).toContain('&quot;https://example.org/```x&quot;')
  expect(page).toMatch(/<\/article>\n<\/html>\n$/)
})

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '</p></article><img src=x onerror=alert(1)>',
    '"><svg onload=alert(1)>',
    '&lt;script&gt;',
    '\n\r\n\u2028# x\n> y\n```\n<b>',
    '\u001b[2J\u202e\ud800',
  ),
)
const hostileMessage = fc
  .record({
    role: fc.constantFrom('user', 'assistant', 'tool'),
    name: hostile,
    toolCallId: hostile,
    createdAt: hostile,
    content: fc.oneof(
      hostile,
      fc.array(fc.record({ type: fc.oneof(hostile, fc.constant('text')), text: hostile })),
    ),
    toolCalls: fc.array(hostile),
    metadata: fc.record({ conversation: fc.record({ title: hostile }) }),
  })
  .map(message)

test('whatever was stored, HTML has no tag and no address but its own', () => {
  const own =
    /<!doctype html>|<\/?(?:html|article|title|style)>|<meta [^>]*>|<h1 dir="auto">|<\/?h[12]>|<(?:p|pre) dir="auto">|<\/(?:p|pre)>/g
  fc.assert(
    fc.property(hostile, fc.array(hostileMessage, { minLength: 1 }), (id, messages) => {
      const rest = written('html', id, messages).replace(own, '')
      expect(rest).not.toMatch(/[<>"']/)
      expect(rest.replace(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&')
      for (const char of '\0\u001b\u202e\r') expect(rest).not.toContain(char)
      expect(rest.isWellFormed()).toBe(true)
    }),
  )
})

test('whatever was stored, every line of Markdown is a heading of its own, a quote or empty', () => {
  fc.assert(
    fc.property(hostile, fc.array(hostileMessage, { minLength: 1 }), (id, messages) => {
      const lines = written('markdown', id, messages).split('\n')
      const headings = lines.filter((line) => line.startsWith('#'))
      expect(headings).toHaveLength(1 + messages.length)
      expect(lines.filter((line) => !/^(?:##? |>|$)/.test(line))).toEqual([])
    }),
  )
})
