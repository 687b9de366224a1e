import { invalid } from '../errors.ts'
import { showKind } from '../show-value.ts'
import { unitsOf, wordsOf } from './units.ts'

/** Longest text of a search. UTF-16 units. */
export const SEARCH_LENGTH_MAX = 4_096
/** Most words and phrases of one search. */
export const SEARCH_TERMS_MAX = 32

/** Units that stand one behind the other: a word, a phrase, or a piece of writing without spaces. */
export type SearchTerm = readonly { readonly word: string; readonly isSingle: boolean }[]

/** What a text must have, and what it must not. */
export interface SearchTerms {
  readonly all: readonly SearchTerm[]
  readonly none: readonly SearchTerm[]
}

/** `word`, `"a phrase"`, `-word` and `-"a phrase"`; a quote that nobody closes ends with the text. */
const CHUNKS = /(-?)"([^"]*)"?|(-?)(\S+)/gu

/**
 * Reads what a user typed. Nothing of it is syntax but quotes and a minus sign before a word.
 *
 * @throws StorageError `INVALID_ARGUMENT` for what is no text, too long, or has no word to look for.
 */
export function parseSearch(text: unknown, name = 'text'): SearchTerms {
  if (typeof text !== 'string') throw invalid(`${name} must be a string, got ${showKind(text)}`)
  if (text.length > SEARCH_LENGTH_MAX) {
    throw invalid(`${name} must be at most ${SEARCH_LENGTH_MAX} characters, got ${text.length}`)
  }
  const all: SearchTerm[] = []
  const none: SearchTerm[] = []
  for (const [, minus, phrase, bareMinus, chunk] of text.matchAll(CHUNKS)) {
    const term = [...unitsOf(phrase ?? chunk!)]
    if (term.length === 0) continue
    const isUnwanted = (minus ?? bareMinus) === '-'
    ;(isUnwanted ? none : all).push(term)
  }
  if (all.length === 0) throw invalid(`${name} must have a word to look for`)
  const count = all.length + none.length
  if (count > SEARCH_TERMS_MAX) {
    throw invalid(`${name} must have at most ${SEARCH_TERMS_MAX} words and phrases, got ${count}`)
  }
  return { all, none }
}

/** Whether the texts of one message have every word, and none that must not be there. */
export function isMatch(texts: readonly string[], { all, none }: SearchTerms): boolean {
  const left = new Set(all)
  for (const text of texts) {
    const words = wordsOf(text)
    if (none.some((term) => indexOfTerm(words, term) >= 0)) return false
    for (const term of left) if (indexOfTerm(words, term) >= 0) left.delete(term)
  }
  return left.size === 0
}

/** Where a term begins among these words, from a place on; -1: nowhere. */
export function indexOfTerm(words: readonly string[], term: SearchTerm, from = 0): number {
  const first = term[0]!.word
  for (let at = words.indexOf(first, from); at >= 0; at = words.indexOf(first, at + 1)) {
    if (term.every(({ word }, i) => words[at + i] === word)) return at
  }
  return -1
}
