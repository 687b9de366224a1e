/*
 * Options by one table for each type of them: what a field may be, and what holds where it is left out.
 * From the table come the checks, the defaults, the parsing of text, and what the documents say.
 */
import { invalid, type StorageError } from './errors.ts'
import { fieldsOf, reading } from './given.ts'

/** Most letters that a misspelt name may differ by and still be guessed. */
const TYPOS_MAX = 2

/** What one option may be. */
export interface Option<Value> {
  /** What it takes, in messages and documents: `an integer from 1 to 1000 ms`. */
  readonly takes: string
  /** What holds where it is left out. */
  readonly default?: Value
  readonly needed?: true
  /** No setting: `check` tells of an `undefined`, which comes from no variable of the environment. */
  readonly isArgument?: true
  /** @throws StorageError `INVALID_ARGUMENT` that names the path, what is taken and what was given. */
  readonly check: (path: string, value: unknown) => Value
  /** What a text stands for, in the query of a URL; not checked yet. Absent: no text does. */
  readonly parse?: (text: string) => unknown
  /** The fields of an object. */
  readonly fields?: Readonly<Record<string, Option<unknown>>>
}

/** An option that has a default. */
export type Filled<Value> = Option<Value> & { readonly default: Value }
/** An option that must be given. */
export type Needed<Value> = Option<Value> & { readonly needed: true }

/**
 * The table of an options type: one that lacks a field, or has one too many, does not compile. The
 * fields of `Defaults` have a default; those that the type demands are needed.
 */
export type OptionTable<Options extends object, Defaults extends keyof Options = never> = {
  readonly [Name in keyof Options]-?: Name extends Defaults
    ? Filled<Exclude<Options[Name], undefined>>
    : object extends Pick<Options, Name>
      ? Option<Exclude<Options[Name], undefined>>
      : Needed<Options[Name]>
}

/** Why a field is `undefined`, or a text empty, as a rule. */
export const UNSET = 'probably an environment variable that is not set'
/** Fields that say where a server is, in place of a URL. */
const ADDRESSES = ['host', 'pool', 'client', 'cluster', 'sentinel', 'nodes', 'servers', 'bucket']

type AnyFields = Readonly<Record<string, unknown>>

/** Any table. */
export type Table = Readonly<Record<string, Option<unknown>>>

type Sure<T> = {
  [Name in keyof T]: T[Name] extends Filled<unknown> | Needed<unknown> ? Name : never
}[keyof T]
type ValueOf<T> = T extends Option<infer Value> ? Value : never

/** What a table makes of the options: fields with a default, or needed, are there. */
export type Resolved<T> = { readonly [Name in Sure<T>]: ValueOf<T[Name]> } & {
  readonly [Name in Exclude<keyof T, Sure<T>>]?: ValueOf<T[Name]>
}

/**
 * The options with their defaults, read once. `undefined` counts as left out.
 *
 * @param path What they are of, such as `read.config`; empty for the argument of a constructor.
 * @throws StorageError `INVALID_ARGUMENT` that names the field by its path.
 */
export function resolve<T extends Table>(path: string, given: unknown, table: T): Resolved<T> {
  const fields = fieldsOf(path === '' ? 'options' : path, given as AnyFields | undefined)
  refuseUnknown(path, fields, Object.keys(table))
  const resolved = Object.entries(table).map(([name, option]) => {
    const value = fields[name]
    if (value === undefined && option.needed !== true) return [name, option.default] as const
    const field = at(path, name)
    const isUnset = value === undefined && option.isArgument !== true && Object.hasOwn(fields, name)
    if (isUnset) throw undefinedAt(field)
    return [name, reading(field, () => option.check(field, value))] as const
  })
  return Object.fromEntries(resolved.filter(([, value]) => value !== undefined)) as Resolved<T>
}

/**
 * The options that the query of a URL has; one that may be a secret is `hidden`.
 *
 * @throws StorageError `INVALID_ARGUMENT` as `resolve`, or for one that is given twice.
 */
export function resolveQuery<T extends Table>(
  path: string,
  query: URLSearchParams,
  table: T,
): Resolved<T> {
  const entries = [...query].map(([name, text]) => [name, table[name]?.parse?.(text) ?? text])
  const given = Object.fromEntries(entries) as AnyFields
  const twice = [...query.keys()].find((name, i, names) => names.indexOf(name) < i)
  if (twice !== undefined) throw invalid(`${at(path, twice)} must be given once`)
  return resolve(path, given, table)
}

/**
 * The options with what their `url` says laid below them: a field that is given beside it wins.
 *
 * @param parse Takes the url and its path. Its errors never quote it: it may hold a password.
 */
export function withUrl(
  path: string,
  options: unknown,
  parse: (url: string, path: string) => object,
): object {
  const all = fieldsOf(path === '' ? 'options' : path, options as AnyFields)
  const { url, ...rest } = all
  const field = at(path, 'url')
  if (url === undefined) {
    // It would be a server of this machine.
    const isMeant = Object.hasOwn(all, 'url') && ADDRESSES.every((name) => rest[name] === undefined)
    if (isMeant) throw undefinedAt(field)
    return rest
  }
  if (typeof url !== 'string') throw invalid(`${field} must be a URL, got ${typeof url}`)
  return { ...rest, ...parse(url, field), ...given(rest) }
}

/** A field that is meant to be there and is not: not the same as one that is left out. */
export function undefinedAt(field: string): StorageError {
  return invalid(`${field} is undefined: ${UNSET}`)
}

/** What of resolved options is in this table. */
export function pick<T extends Table>(table: T, resolved: Resolved<NoInfer<T>>): Resolved<T> {
  const known = Object.entries(resolved).filter(([name]) => name in table)
  return Object.fromEntries(known) as Resolved<T>
}

/** The path of a field. */
export function at(path: string, field: string): string {
  return path === '' ? field : `${path}.${field}`
}

/**
 * Refuses a field that does not exist: a misspelt option must not be one that silently does nothing.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the field, and the one that may be meant.
 */
export function refuseUnknown(path: string, given: object, names: readonly string[]): void {
  const unknown = Object.keys(given).find((field) => !names.includes(field))
  if (unknown === undefined) return
  throw unknownName(at(path, unknown), unknown, names)
}

/** The error of a name that does not exist, `shown` in full, with the one that may be meant. */
export function unknownName(shown: string, name: string, names: readonly string[]): StorageError {
  const meant = nearest(name, names)
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  return invalid(`${shown} is not known${hint}; known are ${names.join(', ')}`)
}

/** The options that were given: an explicit `undefined` counts as left out. */
export function given<Options extends object>(
  options: Options,
): { [Name in keyof Options]?: Exclude<Options[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Options]?: Exclude<Options[Name], undefined>
  }
}

/** The name that a misspelt one may mean. */
export function nearest(name: string, names: readonly string[]): string | undefined {
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
