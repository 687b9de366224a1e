/*
 * What a stream does to its message, one small change after another. The writer makes each on its own copy
 * and refuses what does not fit; a reader makes the same again from what was stored.
 */
import { invalid } from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { VALUE_BYTES_MAX } from '../../core/limits.ts'
import { showValue } from '../../core/show-value.ts'

/** Where in a message: names of fields and places in arrays, from the outside in. */
export type StreamPath = readonly (string | number)[]

/**
 * What is appended to a message: text for the end of its content, text for the end of a text field
 * anywhere in it, or a value for a field or for one place of an array.
 */
export type StreamDelta =
  | string
  | { readonly at: StreamPath; readonly append: string }
  | { readonly at: StreamPath; readonly set: unknown }

/** A delta with its place. */
export type Step = Exclude<StreamDelta, string>

/** A message while it is made. */
export type Draft = Record<string, unknown>

/** Deepest place of a delta. */
const PATH_LENGTH_MAX = 10
/** Most elements of one array. */
const ELEMENTS_MAX = 10_000
/** Fields that are the store's, or that make the message another one. */
const FIXED = new Set(['id', 'role', 'createdAt', 'status', '$stream', '__proto__'])
/** Longest text that one delta may bring. Characters. */
const DELTA_LENGTH_MAX = VALUE_BYTES_MAX

/** The delta, checked by its form, with the place that plain text goes to. */
export function stepOf(draft: Draft, delta: unknown): Step {
  if (typeof delta === 'string') return textStep(draft, checkedText('delta', delta))
  if (typeof delta !== 'object' || delta === null) {
    throw invalid(`delta must be text or an object with at, got ${showValue(delta)}`)
  }
  const { at, append, set, ...others } = delta as Record<string, unknown>
  const [other] = Object.keys(others)
  if (other !== undefined) throw invalid(`delta.${other} is not known`)
  const path = checkedPath(at)
  if (append === undefined) {
    // A copy: what the caller does to it later must not change what was stored.
    return { at: path, set: JSON.parse(encodeJson(set, 'delta.set')) as unknown }
  }
  if (set !== undefined) throw invalid('delta must have append or set, not both')
  return { at: path, append: checkedText('delta.append', append) }
}

/** What a step did. */
export interface Applied {
  /** Takes it back. */
  readonly undo: () => void
  /** It did more than make a text longer: the draft may not be a message any more. */
  readonly isNew: boolean
}

/**
 * Makes the step. Objects and arrays on the way are made where there is
 * nothing yet.
 *
 * @throws StorageError `INVALID_ARGUMENT` for one that does not fit; the draft is as before then.
 */
export function applyStep(draft: Draft, step: Step): Applied {
  const { at } = step
  const last = at.length - 1
  let inside: unknown = draft
  let attach:
    { readonly to: Draft; readonly name: string | number; readonly made: unknown } | undefined
  for (const [i, name] of at.slice(0, last).entries()) {
    checkPlace(inside, name, at)
    const parent = inside as Draft
    inside = ownField(parent, name)
    if (!isNothing(inside)) continue
    inside = typeof at[i + 1] === 'number' ? [] : {}
    if (attach === undefined) attach = { to: parent, name, made: inside }
    else parent[name] = inside
  }
  const field = at[last]!
  checkPlace(inside, field, at)
  const parent = inside as Draft
  const before = ownField(parent, field)
  // A copy: the value grows in the draft, and not in the step.
  const value = 'set' in step ? structuredClone(step.set) : appended(before, step)
  const undo = undoOf(attach?.to ?? parent, attach?.name ?? field)
  parent[field] = value
  if (attach !== undefined) attach.to[attach.name] = attach.made
  return { undo, isNew: 'set' in step || typeof before !== 'string' }
}

function appended(before: unknown, { at, append }: Exclude<Step, { set: unknown }>): string {
  if (isNothing(before)) return append
  if (typeof before === 'string') return before + append
  throw invalid(`delta.at ${shown(at)} must be text to be appended to`)
}

function undoOf(parent: Draft, name: string | number): () => void {
  if (Object.hasOwn(parent, name)) {
    const before = parent[name]
    return () => (parent[name] = before)
  }
  return () => {
    if (Array.isArray(parent)) parent.length = Number(name)
    else delete parent[name]
  }
}

function ownField(parent: Draft, name: string | number): unknown {
  return Object.hasOwn(parent, name) ? parent[name] : undefined
}

/** What a first part, or a first text, may take the place of. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

/** Plain text goes to the end of the content: to its last part, where it has parts. */
function textStep({ content }: Draft, append: string): Step {
  if (!Array.isArray(content)) return { at: ['content'], append }
  const last = content.length - 1
  const part = content[last] as { type?: unknown; text?: unknown } | undefined
  return part?.type === 'text' && typeof part.text === 'string'
    ? { at: ['content', last, 'text'], append }
    : { at: ['content', last + 1], set: { type: 'text', text: append } }
}

function checkedText(name: string, text: unknown): string {
  if (typeof text !== 'string') throw invalid(`${name} must be text, got ${showValue(text)}`)
  if (text.length <= DELTA_LENGTH_MAX) return text
  throw invalid(`${name} must be at most ${DELTA_LENGTH_MAX} characters, got ${text.length}`)
}

function checkedPath(at: unknown): StreamPath {
  if (!Array.isArray(at) || at.length === 0 || at.length > PATH_LENGTH_MAX) {
    throw invalid(
      `delta.at must be an array of 1 to ${PATH_LENGTH_MAX} names, got ${showValue(at)}`,
    )
  }
  for (const name of at as unknown[]) {
    const isIndex = Number.isSafeInteger(name) && (name as number) >= 0
    const isName = typeof name === 'string' && name !== '' && name !== '__proto__'
    if (!isIndex && !isName) throw invalid(`delta.at must have names and places, got ${shown(at)}`)
  }
  const [first] = at as StreamPath
  if (typeof first !== 'string' || FIXED.has(first)) {
    throw invalid(`delta.at must not begin with ${showValue(first)}`)
  }
  return [...(at as StreamPath)]
}

/** A name is for objects, a place for arrays: of one that is there, or at the end. */
function checkPlace(inside: unknown, name: string | number, at: StreamPath): void {
  const isFit = Array.isArray(inside)
    ? typeof name === 'number' && name <= inside.length
    : typeof inside === 'object' && inside !== null && typeof name === 'string'
  if (!isFit) throw invalid(`delta.at ${shown(at)} is not in the message`)
  if (typeof name === 'number' && name >= ELEMENTS_MAX) {
    throw invalid(`delta.at ${shown(at)} must be below ${ELEMENTS_MAX}`)
  }
}

function shown(at: unknown): string {
  return showValue(JSON.stringify(at))
}
