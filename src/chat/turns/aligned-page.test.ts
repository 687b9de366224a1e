// Goal: aligned pages have every message once, in order, and none is torn from what belongs to it. Method:
// random conversations are read page by page in both directions; the pairs are looked for the slow way.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stampAt } from '../../testing/backend/operations.ts'
import {
  ConversationPages,
  placed,
  type PagesQuery,
  type PlacedMessage,
  type PlacedPage,
} from '../conversation-pages.ts'
import type { ChatMessage } from '../message.ts'
import { readAlignedPage } from './aligned-page.ts'
import { TURN_SPAN_MAX } from './turn-starts.ts'

/** `u`: a message. `a`: one that calls for `a`. `A`: the result. So with `b`. */
type Kinds = string

function messagesOf(kinds: Kinds): ChatMessage[] {
  return kinds.split('').map((kind, i) => {
    const id = `m${i}`
    const isResult = 'AB'.includes(kind)
    const toolCallId = kind.toLowerCase()
    if (isResult) return { id, createdAt: '', role: 'tool', content: kind, toolCallId }
    const calls = { toolCalls: [{ id: kind }] }
    return {
      id,
      createdAt: '',
      role: 'assistant',
      content: kind,
      ...('ab'.includes(kind) && calls),
    }
  })
}

class Rig {
  readonly kinds: Kinds
  read = 0
  readonly #all: readonly PlacedMessage[]

  constructor(kinds: Kinds) {
    this.kinds = kinds
    this.#all = messagesOf(kinds).map((message, i) => {
      return placed({ item: { id: message.id, position: stampAt(i * 1000) }, message })
    })
  }

  /** The pages as texts, each oldest first, in the order in which they are read. */
  async pages(limit: number, order: 'newest' | 'oldest'): Promise<string[]> {
    const pages: string[] = []
    let bound = {}
    for (;;) {
      const source = new ConversationPages((query) => Promise.resolve(this.#page(query)))
      const page = await readAlignedPage(source, { limit, order, ...bound })
      const kinds = page.messages.map(({ item }) => this.kinds[Number(item.id.slice(1))]!)
      pages.push((order === 'newest' ? kinds.reverse() : kinds).join(''))
      if (page.next === undefined) return pages
      bound = order === 'newest' ? { before: page.next } : { after: page.next }
    }
  }

  #page({ limit, order, before, after }: PagesQuery): PlacedPage {
    this.read++
    const within = this.#all.filter(
      ({ item: { position } }) =>
        (before === undefined || position < before) && (after === undefined || position > after),
    )
    if (order === 'newest') within.reverse()
    const messages = within.slice(0, limit)
    const next = within.length > limit ? messages.at(-1)!.item.position : undefined
    return { messages, next, complete: true }
  }
}

/** The places between messages where a page must not begin: between a call and a result that is near. */
function tornPlaces(kinds: Kinds): Set<number> {
  const torn = new Set<number>()
  for (const [result, kind] of kinds.split('').entries()) {
    if (!'AB'.includes(kind)) continue
    const call = kinds.lastIndexOf(kind.toLowerCase(), result)
    if (call === -1 || result - call > TURN_SPAN_MAX) continue
    // Of two results of one call the first counts.
    if (kinds.slice(call, result).includes(kind)) continue
    for (let place = call + 1; place <= result; place++) torn.add(place)
  }
  return torn
}

const KINDS = fc
  .array(fc.constantFrom('u', 'u', 'u', 'a', 'A', 'b', 'B', 'AB', 'aA', 'u'.repeat(40)), {
    maxLength: 60,
  })
  .map((parts) => parts.join(''))

test.each(['newest', 'oldest'] as const)(
  'pages from the %s have each message once, and tear nothing apart',
  async (order) => {
    await fc.assert(
      fc.asyncProperty(KINDS, fc.integer({ min: 1, max: 30 }), async (kinds, limit) => {
        const pages = await new Rig(kinds).pages(limit, order)
        const inOrder = order === 'newest' ? [...pages].reverse() : pages
        expect(inOrder.join('')).toBe(kinds)
        const torn = tornPlaces(kinds)
        let place = 0
        for (const page of inOrder.slice(0, -1)) {
          place += page.length
          expect([place, torn.has(place)]).toEqual([place, false])
        }
        for (const [i, page] of inOrder.entries()) {
          if (page.length <= limit) continue
          // Larger than asked for: then it could not be cut anywhere.
          const from = inOrder.slice(0, i).join('').length
          const places = Array.from({ length: page.length - 1 }, (_, at) => from + at + 1)
          const free = places.filter((at) => !torn.has(at) && !'AB'.includes(kinds[at]!))
          const isFree = order === 'newest' ? Math.max(0, ...free) : Math.min(...free)
          const rest = order === 'newest' ? from + page.length - isFree : isFree - from
          expect(free.length === 0 || rest > limit).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  },
)

test('a page of plain messages costs what it cost; one that may begin within a turn one look more', async () => {
  const plain = new Rig('u'.repeat(100))
  expect((await plain.pages(50, 'newest')).map((page) => page.length)).toEqual([50, 50])
  expect(plain.read).toBe(2)
  const torn = new Rig(`${'u'.repeat(10)}aA${'u'.repeat(3)}`)
  expect(await torn.pages(4, 'newest')).toEqual(['uuu', 'uuaA', 'uuuu', 'uuuu'])
})

test('a turn larger than the page is one page; one of more than a thousand messages is torn', async () => {
  expect(await new Rig(`ua${'A'.repeat(9)}u`).pages(3, 'oldest')).toEqual([
    'u',
    `a${'A'.repeat(9)}`,
    'u',
  ])
  const pages = await new Rig(`a${'A'.repeat(1_500)}`).pages(300, 'newest')
  expect(pages.join('')).toHaveLength(1_501)
})

test('a call that nothing answers, and a result that comes too late, do not make pages larger', async () => {
  const dangling = await new Rig(`a${'u'.repeat(300)}`).pages(10, 'oldest')
  expect(Math.max(...dangling.map((page) => page.length))).toBe(10)
  const late = await new Rig(`a${'u'.repeat(200)}A`).pages(10, 'newest')
  expect(Math.max(...late.map((page) => page.length))).toBeLessThanOrEqual(10)
})
