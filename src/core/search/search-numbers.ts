/*
 * What the databases index instead of words: a number of 32 bits for each word, for each character of writing
 * without spaces, for each pair of those, and for conversation and role. A tenant is in all of its numbers, so
 * that a search goes through no other one's, and needs no list of all that is the tenant's. An index of numbers
 * has no text in it that an erase would have to find, nothing in a search can be syntax of a database, and all
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

type Kind = 'word' | 'pair' | 'key' | 'role'

/** The numbers of an item, each once: none without a text, undefined for one that no index has a row for. */
export function numbersOfItem(key: string, id: string, value: JsonText): number[] | undefined {
  if (!isIndexed(key, id)) return undefined
  const item = indexedItem(key, id, value)
  if (item === undefined) return []
  const { texts, prefix, role } = item
  const tenant = hashOf(prefix)
  const numbers = new Set([numberOf(tenant, 'key', key)])
  if (role !== undefined) numbers.add(numberOf(tenant, 'role', role))
  for (const text of texts) addUnits(numbers, tenant, unitsOf(text), true)
  return [...numbers]
}

/** The numbers that an item must have so that it can be one of those looked for. */
export function numbersOfSearch({ all }: SearchTerms, scope: SearchScope): number[] {
  const numbers = new Set<number>()
  const tenant = hashOf(scope.prefix)
  for (const term of all) addUnits(numbers, tenant, term, false)
  if (scope.key !== undefined) numbers.add(numberOf(tenant, 'key', scope.key))
  if (scope.role !== undefined) numbers.add(numberOf(tenant, 'role', scope.role))
  return [...numbers]
}

/** `singles`: also the characters that have a neighbour to make a pair with. */
function addUnits(
  numbers: Set<number>,
  tenant: number,
  given: Iterable<Pick<Unit, 'word' | 'isSingle'>>,
  singles: boolean,
): void {
  /** A character that may begin a pair, and whether it has ended one. */
  let last: { readonly word: string; readonly isPaired: boolean } | undefined
  const leave = (): void => {
    if (last?.isPaired === false) numbers.add(numberOf(tenant, 'word', last.word))
    last = undefined
  }
  for (const { word, isSingle } of given) {
    if (!isSingle) leave()
    if (!isSingle || singles) numbers.add(numberOf(tenant, 'word', word))
    if (!isSingle) continue
    if (last !== undefined) numbers.add(numberOf(tenant, 'pair', last.word + word))
    last = { word, isPaired: last !== undefined }
  }
  leave()
}

/** 32 bits with a sign: FNV-1a with the last step of MurmurHash, so that all bits depend on all of the text. */
export function numberOf(tenant: number, kind: Kind, text: string): number {
  let hash = hashOf(kind === 'word' ? text : `${kind}\0${text}`, tenant)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function hashOf(text: string, start = 0x811c9dc5): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
