/* Filters of the framework: of the metadata of checkpoints, and of the values of its store. */
import { isDeepStrictEqual } from 'node:util'

/** Each field of `wanted` is there and equal; of objects as far as they are given. */
export function contains(given: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted) || typeof wanted !== 'object' || wanted === null) {
    return isDeepStrictEqual(given, wanted)
  }
  return Object.entries(wanted).every(([name, value]) => {
    const field = fieldOf(given, name)
    return field !== undefined && contains(field.value, value)
  })
}

/** What an operator says of a field, and of the value beside it. */
const OPERATORS: Readonly<Record<string, (given: unknown, wanted: unknown) => boolean>> = {
  $eq: isDeepStrictEqual,
  $ne: (given, wanted) => !isDeepStrictEqual(given, wanted),
  $gt: (given, wanted) => Number(given) > Number(wanted),
  $gte: (given, wanted) => Number(given) >= Number(wanted),
  $lt: (given, wanted) => Number(given) < Number(wanted),
  $lte: (given, wanted) => Number(given) <= Number(wanted),
  $in: (given, wanted) => Array.isArray(wanted) && wanted.includes(given),
  $nin: (given, wanted) => !Array.isArray(wanted) || !wanted.includes(given),
}

/** Each field is equal, or as its operators say. */
export function isLike(value: object, filter: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(filter).every(([name, wanted]) => {
    const given = fieldOf(value, name)?.value
    if (!isOperators(wanted)) return isDeepStrictEqual(given, wanted)
    return Object.entries(wanted).every(([operator, operand]) =>
      OPERATORS[operator]!(given, operand),
    )
  })
}

function isOperators(wanted: unknown): wanted is Readonly<Record<string, unknown>> {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return false
  const names = Object.keys(wanted)
  return names.length > 0 && names.every((name) => Object.hasOwn(OPERATORS, name))
}

function fieldOf(given: unknown, name: string): { readonly value: unknown } | undefined {
  if (typeof given !== 'object' || given === null || !Object.hasOwn(given, name)) return undefined
  return { value: (given as Record<string, unknown>)[name] }
}
