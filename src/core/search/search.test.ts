// Goal: what an index says is never less than what the words say, for any text and any search; and what is
// indexed of a message, and shown of it, is what the page says.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStorageError } from '../errors.ts'
import type { JsonText } from '../json.ts'
import { excerptOf } from './excerpt.ts'
import { indexedItem } from './indexed-texts.ts'
import { numbersOfItem, numbersOfSearch } from './search-numbers.ts'
import { isMatch, parseSearch } from './search-terms.ts'
import { unitsOf, wordsOf } from './units.ts'

const KEY = 'chat/1:t:a'
const SCOPE = { prefix: 'chat/1:t:' }

function json(value: unknown): JsonText {
  return JSON.stringify(value) as JsonText
}

/** In both ways, which are one. */
function words(text: string): string[] {
  const found = Array.from(unitsOf(text), ({ word }) => word)
  expect(wordsOf(text)).toEqual(found)
  return found
}

function finds(text: string, search: string): boolean {
  return isMatch([text], parseSearch(search))
}

test.each([
  ['The QUICK fox', ['the', 'quick', 'fox']],
  ['Ångström café ΣΊΣΥΦΟΣ', ['angstrom', 'cafe', 'σισυφοσ']],
  ['ﬁne １２ ｶﾞ', ['fine', '12', 'ガ']],
  ['foo_bar don’t a-b', ['foo', 'bar', 'don', 't', 'a', 'b']],
  ['日本語text한글', ['日', '本', '語', 'text', '한', '글']],
  ['สวัสดี', ['ส', 'ว', 'ั', 'ส', 'ด', 'ี']],
  ['\0 \ud800 ... "', []],
  ['x'.repeat(100), ['x'.repeat(64)]],
])('the units of %j are %j', (text, expected) => {
  expect(words(text)).toEqual(expected)
})

test('the same letters are the same units, whatever stands around them', () => {
  const plain = 'Some words 12 of ascii'
  expect(words(`${plain} ñ`).slice(0, -1)).toEqual(words(plain))
})

describe('a search', () => {
  test.each([
    ['late order', true],
    ['"late order"', false],
    ['"order late"', true],
    ['order -late', false],
    ['-missing order', true],
    ['-"late order" order', true],
    ['"order late', true],
    ['order-late', true],
    ['late-order', false],
    ['都に', true],
    ['に', true],
    ['京に', false],
    ['OR AND NOT order', false],
  ])('%j finds it: %j', (search, expected) => {
    expect(finds('The order, late: 京都に', search)).toBe(expected)
  })

  test('a word may stand in one text and another one in the next, a phrase may not', () => {
    expect(isMatch(['one', 'two'], parseSearch('one two'))).toBe(true)
    expect(isMatch(['one', 'two'], parseSearch('"one two"'))).toBe(false)
    expect(isMatch(['one', 'two'], parseSearch('one -two'))).toBe(false)
  })

  test('any text is a search, or refused as one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        try {
          parseSearch(text)
        } catch (error) {
          expect(isStorageError(error, 'INVALID_ARGUMENT')).toBe(true)
        }
      }),
    )
  })
})

const piece = fc.constantFrom(
  'a',
  'b',
  '日',
  '本',
  '語',
  'が',
  ' ',
  '-',
  '"',
  'É',
  'ê',
  'word',
  ' word',
  '한글',
  '\n',
)
const anyText = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))

test('an item that matches has all numbers of the search', () => {
  let matches = 0
  fc.assert(
    fc.property(anyText, anyText, (text, search) => {
      const terms = (() => {
        try {
          return parseSearch(search)
        } catch {
          return undefined
        }
      })()
      if (terms === undefined || !isMatch([text], terms)) return
      matches++
      const role = 'user'
      const own = new Set(numbersOfItem(KEY, 'id', json({ role, content: text })))
      const wanted = numbersOfSearch(terms, { ...SCOPE, key: KEY, role })
      expect(wanted.filter((number) => !own.has(number))).toEqual([])
    }),
    { numRuns: 5_000 },
  )
  expect(matches).toBeGreaterThan(100)
})

describe('what is indexed', () => {
  const texts = (value: unknown, key = KEY, id = 'id'): readonly string[] | undefined =>
    indexedItem(key, id, json(value))?.texts

  test('texts of parts and results of tools, and nothing that is data', () => {
    const content = [
      { type: 'text', text: 'plain' },
      { type: 'image', image: `data:image/png;base64,${'A'.repeat(300)}`, text: 7 },
      { type: 'text', text: 'QUJD'.repeat(100) },
      { type: 'tool-call', input: { query: 'not this' } },
      { type: 'tool-result', output: { type: 'json', value: [{ deep: 'this' }] } },
      { type: 'tool_result', content: [{ type: 'text', text: 'that' }] },
    ]
    expect(texts({ role: 'tool', content })).toEqual(['plain', 'this', 'that'])
    expect(texts({ role: 'user', content: 'string' })).toEqual(['string'])
    expect(texts({ role: 'assistant', content: null })).toBeUndefined()
  })

  test('titles of records; no other item and no other key', () => {
    expect(texts('A title', 'record/1:t:a', 'title')).toEqual(['A title'])
    expect(texts('ann', 'record/1:t:a', 'owner')).toBeUndefined()
    expect(texts({ role: 'user', content: 'x' }, 'other/1:t:a')).toBeUndefined()
    expect(texts({ role: 'user', content: 'x' }, 'chat/9:t:a')).toBeUndefined()
    expect(indexedItem(KEY, 'id', 'not json' as JsonText)).toBeUndefined()
  })

  test('a nested result has an end', () => {
    let deep: unknown = 'bottom'
    for (let i = 0; i < 1_000; i++) deep = [deep]
    expect(
      texts({ role: 'tool', content: [{ type: 'tool-result', output: deep }] }),
    ).toBeUndefined()
  })
})

test('tenants share no numbers, so that no search goes through what others have', () => {
  const value = json({ role: 'user', content: 'late order 京都' })
  const [one, other] = [1, 2].map((n) => new Set(numbersOfItem(`chat/1:${n}:a`, 'id', value)))
  expect([...one!].filter((number) => other!.has(number))).toEqual([])
  for (const [n, own] of [one!, other!].entries()) {
    const wanted = numbersOfSearch(parseSearch('order 京都'), {
      prefix: `chat/1:${n + 1}:`,
      role: 'user',
    })
    expect(wanted.every((number) => own.has(number))).toBe(true)
  }
})

describe('an excerpt', () => {
  test('is around the first word, with all that stand in it marked', () => {
    const text = `${'before '.repeat(50)}needle 針 in here needle${' after'.repeat(50)}`
    const { excerpt, highlights } = excerptOf(['other', text], parseSearch('needle 針'))
    expect(excerpt.length).toBeLessThanOrEqual(202)
    expect(excerpt).toMatch(/^….*needle 針 in here needle.*…$/)
    const marked = highlights.map(([start, end]) => excerpt.slice(start, end))
    expect(marked).toEqual(['needle', '針', 'needle'])
  })

  test('cuts no character in two, and has no mark beyond its end', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (text) => {
        const { excerpt, highlights } = excerptOf([text], parseSearch('a'))
        expect(excerpt.isWellFormed()).toBe(true)
        for (const [start, end] of highlights) {
          expect(start).toBeLessThan(end)
          expect(end).toBeLessThanOrEqual(excerpt.length)
        }
      }),
    )
  })
})
