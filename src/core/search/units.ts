/*
 * A text as the sequence of units that a search compares: its words, and of writing without spaces each
 * character. Case, diacritics and compatible forms of characters make no difference (`foldText`).
 */

/** One word, or one character of a language that is written without spaces. */
export interface Unit {
  /** Folded. */
  readonly word: string
  /** Where it stands in the text as it was given, in UTF-16 units. */
  readonly start: number
  readonly end: number
  /** A character of writing without spaces. */
  readonly isSingle: boolean
}

/** Longer words are compared by their beginning. UTF-16 units. */
export const WORD_LENGTH_MAX = 64

/** Letters, digits and the marks on them: all else lies between words. */
const RUNS = /[\p{L}\p{N}\p{M}]+/gu
/** Writing without spaces; in Korean what belongs to a word is joined to it. */
const SPACELESS =
  '\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{sc=Hang}\\p{sc=Thai}\\p{sc=Laoo}\\p{sc=Khmr}\\p{sc=Mymr}'
const PARTS = new RegExp(
  `(?<single>(?=[\\p{L}\\p{N}\\p{M}])[${SPACELESS}])|(?:(?![${SPACELESS}])[\\p{L}\\p{N}\\p{M}])+`,
  'gu',
)
/** A text that needs no tables of Unicode: most of those that are written in English. */
const BEYOND_ASCII = /[^ -~\s]/
const ASCII_RUNS = /[0-9A-Za-z]+/g
const PLAIN = /^[0-9a-z]+$/i
const DIACRITICS = /[\u0300-\u036f]/g

/** Without case, the diacritics of Latin, Greek and Cyrillic, and compatible forms (NFKC). */
export function foldText(text: string): string {
  const bare = text.normalize('NFKD').replace(DIACRITICS, '').normalize('NFKC')
  return bare.toLowerCase().replace(DIACRITICS, '').replaceAll('ς', 'σ')
}

/** The units of a text, in order, as words alone: every text that may match is asked for them. */
export function wordsOf(text: string): string[] {
  if (BEYOND_ASCII.test(text)) return Array.from(unitsOf(text), ({ word }) => word)
  const words = text.toLowerCase().match(/[0-9a-z]+/g) ?? []
  return text.length <= WORD_LENGTH_MAX
    ? words
    : words.map((word) => word.slice(0, WORD_LENGTH_MAX))
}

/** The units of a text, in order. */
export function* unitsOf(text: string): Generator<Unit> {
  if (!BEYOND_ASCII.test(text)) {
    for (const { 0: run, index } of text.matchAll(ASCII_RUNS)) yield plainUnit(run, index)
    return
  }
  for (const { 0: run, index } of text.matchAll(RUNS)) {
    if (PLAIN.test(run)) yield plainUnit(run, index)
    else yield* unitsOfRun(run, index)
  }
}

function plainUnit(run: string, start: number): Unit {
  const word = run.toLowerCase().slice(0, WORD_LENGTH_MAX)
  return { word, start, end: start + run.length, isSingle: false }
}

function* unitsOfRun(run: string, at: number): Generator<Unit> {
  const folded = foldText(run)
  // What folding made longer or shorter cannot be told apart within the run.
  const isAligned = folded.length === run.length
  for (const part of folded.matchAll(PARTS)) {
    const text = part[0]
    const start = isAligned ? at + part.index : at
    const end = isAligned ? start + text.length : at + run.length
    const isSingle = part.groups!['single'] !== undefined
    yield { word: isSingle ? text : text.slice(0, WORD_LENGTH_MAX), start, end, isSingle }
  }
}
