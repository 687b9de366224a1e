/*
 * What the databases index instead of words: a number of 32 bits for each word, for each character of writing
 * without spaces, for each pair of those, and for the tenant, conversation and role. An index of numbers has no
 * text in it that an erase would have to find, nothing in a search can be syntax of a database, and all
 * engines find the same. Two words may share a number: whoever asks compares what was found with the words.
 */
import type { JsonText } from '../json.ts'
import { indexedItem, isIndexed } from './indexed-texts.ts'
import type { SearchTerms } from './search-terms.ts'
import { unitsOf, type Unit } from './units.ts'

/** Where a search looks. */
export interface SearchScope {
  /** What all keys of a tenant begin with. */
  readonly prefix: string
  /** One key alone. */
  readonly key?: string
  readonly role?: string
}

type Kind = 'word' | 'pair' | 'prefix' | 'key' | 'role'

/** The numbers of an item, each once: none without a text, undefined for one that no index has a row for. */
export function numbersOfItem(key: string, id: string, value: JsonText): number[] | undefined {
  if (!isIndexed(key, id)) return undefined
  const item = indexedItem(key, id, value)
  if (item === undefined) return []
  const { texts, prefix, role } = item
  const numbers = new Set([numberOf('prefix', prefix), numberOf('key', key)])
  if (role !== undefined) numbers.add(numberOf('role', role))
  for (const text of texts) addUnits(numbers, unitsOf(text), true)
  return [...numbers]
}

/** The numbers that an item must have so that it can be one of those looked for. */
export function numbersOfSearch({ all }: SearchTerms, scope: SearchScope): number[] {
  const numbers = new Set<number>()
  for (const term of all) addUnits(numbers, term, false)
  numbers.add(numberOf('prefix', scope.prefix))
  if (scope.key !== undefined) numbers.add(numberOf('key', scope.key))
  if (scope.role !== undefined) numbers.add(numberOf('role', scope.role))
  return [...numbers]
}

/** `singles`: also the characters that have a neighbour to make a pair with. */
function addUnits(
  numbers: Set<number>,
  given: Iterable<Pick<Unit, 'word' | 'isSingle'>>,
  singles: boolean,
): void {
  /** A character that may begin a pair, and whether it has ended one. */
  let last: { readonly word: string; readonly isPaired: boolean } | undefined
  const leave = (): void => {
    if (last?.isPaired === false) numbers.add(numberOf('word', last.word))
    last = undefined
  }
  for (const { word, isSingle } of given) {
    if (!isSingle) leave()
    if (!isSingle || singles) numbers.add(numberOf('word', word))
    if (!isSingle) continue
    if (last !== undefined) numbers.add(numberOf('pair', last.word + word))
    last = { word, isPaired: last !== undefined }
  }
  leave()
}

/** 32 bits with a sign: FNV-1a with the last step of MurmurHash, so that all bits depend on all of the text. */
export function numberOf(kind: Kind, text: string): number {
  let hash = 0x811c9dc5
  const all = kind === 'word' ? text : `${kind}\0${text}`
  for (let i = 0; i < all.length; i++) {
    hash = Math.imul(hash ^ all.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
