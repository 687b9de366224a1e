import { indexOfTerm, type SearchTerm, type SearchTerms } from './search-terms.ts'
import { unitsOf, type Unit } from './units.ts'

/** A piece of a text around what was found. */
export interface Excerpt {
  /** At most about 200 characters of the text, as they are there; `…` where it goes on. */
  readonly excerpt: string
  /** Where in the excerpt the words stand, from and to, in UTF-16 units. At most 32. */
  readonly highlights: readonly (readonly [start: number, end: number])[]
}

const BEFORE = 60
const LENGTH = 200
const HIGHLIGHTS_MAX = 32
/** Units of a text that are looked at; the beginning of a longer one stands for it. */
const UNITS_MAX = 200_000

/** The piece of these texts around the first words that were looked for. */
export function excerptOf(texts: readonly string[], terms: SearchTerms): Excerpt {
  for (const text of texts) {
    const spans = spansOf(text, terms)
    if (spans.length > 0) return cutAround(text, spans)
  }
  return cutAround(texts[0] ?? '', [])
}

type Span = readonly [start: number, end: number]

/** Where terms stand, as far as an excerpt around the first one goes. */
function spansOf(text: string, { all }: SearchTerms): Span[] {
  const units: Unit[] = []
  const words: string[] = []
  let end = text.length
  for (const unit of unitsOf(text)) {
    if (unit.start >= end || units.push(unit) > UNITS_MAX) break
    words.push(unit.word)
    const term = end < text.length ? undefined : all.find((each) => isAtEnd(words, each))
    if (term !== undefined) end = units.at(-term.length)!.start + LENGTH
  }
  const spans = all.flatMap((term) => {
    const found: Span[] = []
    let at = indexOfTerm(words, term)
    while (at >= 0 && found.length < HIGHLIGHTS_MAX) {
      found.push([units[at]!.start, units[at + term.length - 1]!.end])
      at = indexOfTerm(words, term, at + term.length)
    }
    return found
  })
  return spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])
}

function isAtEnd(words: readonly string[], term: SearchTerm): boolean {
  const from = words.length - term.length
  return from >= 0 && term.every(({ word }, i) => words[from + i] === word)
}

function cutAround(text: string, spans: readonly Span[]): Excerpt {
  const first = spans[0]?.[0] ?? 0
  const from = whole(text, Math.max(0, first - BEFORE))
  const to = whole(text, Math.min(text.length, from + LENGTH))
  const [head, tail] = [from > 0 ? '…' : '', to < text.length ? '…' : '']
  const highlights: Span[] = []
  let last = from
  for (const [start, end] of spans) {
    const [left, right] = [Math.max(start, last), Math.min(end, to)]
    if (left >= right || highlights.length === HIGHLIGHTS_MAX) continue
    highlights.push([left - from + head.length, right - from + head.length])
    last = right
  }
  return { excerpt: head + text.slice(from, to) + tail, highlights }
}

/** Not between the halves of a character. */
function whole(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff && at > 0 ? at - 1 : at
}
