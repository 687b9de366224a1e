import { invalid, isStorageError } from './errors.ts'
import { checkObject } from './limits.ts'

/** The fields of an options type: a list that lacks one, or has one too many, does not compile. */
export type FieldsOf<Options> = Readonly<Record<keyof Required<Options>, true>>

/** Most letters that a misspelt name may differ by and still be guessed. */
const TYPOS_MAX = 2

/**
 * Refuses a field that does not exist: a misspelt option must not be one that silently does nothing.
 *
 * @param path What the fields are of, such as `read.config`; empty for the arguments of a constructor.
 * @throws StorageError `INVALID_ARGUMENT` that names the field, and the one that may be meant.
 */
export function refuseUnknown(
  path: string,
  given: object,
  known: Readonly<Record<string, true>> | readonly string[],
): void {
  const names = Array.isArray(known) ? (known as readonly string[]) : Object.keys(known)
  const unknown = Object.keys(given).find((field) => !names.includes(field))
  if (unknown === undefined) return
  const meant = nearest(unknown, names)
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  const field = path === '' ? unknown : `${path}.${unknown}`
  throw invalid(`${field} is not known${hint}; known are ${names.join(', ')}`)
}

/** The same for an object that may be left out and must be one. */
export function checkFields(
  path: string,
  given: object | undefined,
  known: Readonly<Record<string, true>> | readonly string[],
): void {
  if (given === undefined) return
  checkObject(path, given)
  refuseUnknown(path, given, known)
}

/** Runs a check of the fields of one object, whose errors then name the path to it: `database.port`. */
export function within<T>(path: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!isStorageError(error, 'INVALID_ARGUMENT')) throw error
    const { message } = error
    const startsWithField = /^[a-z]\w*(?:\.\w+)* (?:must|is not|names|takes)\b/.test(message)
    throw invalid(`${path}${startsWithField ? '.' : ': '}${message}`)
  }
}

/** The options that were given: an explicit `undefined` counts as left out. */
export function given<Options extends object>(
  options: Options,
): { [Name in keyof Options]?: Exclude<Options[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Options]?: Exclude<Options[Name], undefined>
  }
}

function nearest(name: string, names: readonly string[]): string | undefined {
  const typos = names.map((known) => distance(name.toLowerCase(), known.toLowerCase()))
  const least = Math.min(...typos)
  return least <= TYPOS_MAX ? names[typos.indexOf(least)] : undefined
}

/** Levenshtein's distance: letters to insert, remove or replace. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const replaced = row[j - 1]! + Number(one[i - 1] !== other[j - 1])
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replaced))
    }
    row = next
  }
  return row[other.length]!
}
