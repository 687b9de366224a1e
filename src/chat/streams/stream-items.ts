/*
 * What is stored of a stream:
 *
 *   the message   an ordinary item of the conversation, as it was when the stream began, with a mark that
 *                 names the first writer
 *   chunks        items of the list of the stream: the deltas that came within some time, numbered by
 *                 their writer, with how long it may be taken for alive
 *   claims        items of the same list, `@1`, `@2` …: another writer goes on behind so many chunks of the
 *                 one before. Their ids can be taken once, so that only one goes on.
 *
 * Nothing of it is ever rewritten. A chunk that was sent twice has one number, and counts once.
 */
import { invalid, StorageError } from '../../core/errors.ts'
import { decodeJson, type JsonText } from '../../core/json.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import type { Step, StreamPath } from './step.ts'

/** The field of a message that is being written. No caller's message may have it. */
export const MARK_FIELD = '$stream'

/** Says that a message is being written, and by whom. */
export interface StreamMark {
  /** The first writer's name. */
  readonly w: string
  /** How long that may be taken for alive from the message's position on. Milliseconds. */
  readonly l: number
}

/** The mark of what is stored of a message; undefined for one that is whole. */
export function markOf(body: object): StreamMark | undefined {
  const mark = (body as Record<string, unknown>)[MARK_FIELD] as Partial<StreamMark> | undefined
  if (typeof mark !== 'object' || mark === null) return undefined
  const { w, l } = mark
  return typeof w === 'string' && typeof l === 'number' ? { w, l } : undefined
}

/** @throws StorageError `INVALID_ARGUMENT` for a caller's message that has the field. */
export function refuseMark(body: object, name: string): void {
  if (Object.hasOwn(body, MARK_FIELD)) throw invalid(`${name}.${MARK_FIELD} is the store's own`)
}

/** Deltas of one writer, as they are stored. */
export interface Chunk {
  /** The writer's name. */
  readonly w: string
  /** The how-manieth it is of its writer, from 0 on. */
  readonly n: number
  /** The writer may be taken for alive until then, by its clock. Unix milliseconds. */
  readonly u: number
  readonly d: readonly PackedStep[]
}

/** Another writer goes on. */
export interface Claim {
  readonly w: string
  /** How many chunks of the writer before count. */
  readonly n: number
  readonly u: number
}

/** A step as it is stored: text for the content, a place and text, or a place, null and a value. */
type PackedStep = string | readonly [StreamPath, string] | readonly [StreamPath, null, unknown]

export function packStep(step: Step): PackedStep {
  if ('set' in step) return [step.at, null, step.set]
  return step.at.length === 1 && step.at[0] === 'content' ? step.append : [step.at, step.append]
}

export function unpackStep(packed: PackedStep): Step {
  if (typeof packed === 'string') return { at: ['content'], append: packed }
  const [at, append] = packed
  return append === null ? { at, set: packed[2] } : { at, append }
}

/** The id of the claim of the writer of this number; the first one, 0, has none. */
export function claimId(epoch: number): string {
  return `@${epoch}`
}

/** What an item of the list of a stream is. */
export type StreamItem =
  | { readonly kind: 'chunk'; readonly chunk: Chunk; readonly item: Item }
  | { readonly kind: 'claim'; readonly epoch: number; readonly claim: Claim; readonly item: Item }

/** @throws StorageError `CORRUPT` for what is neither. */
export function streamItemOf(item: Item): StreamItem {
  const value = decodeJson<Chunk & Claim>(itemValue(item) ?? ('' as JsonText))
  const { w, n, u } = (value ?? {}) as Partial<Chunk & Claim>
  if (typeof w !== 'string' || !Number.isSafeInteger(n) || typeof u !== 'number') {
    throw new StorageError('CORRUPT', `a delta ${JSON.stringify(item.id)} is damaged`)
  }
  const epoch = /^@(\d{1,9})$/.exec(item.id)?.[1]
  return epoch === undefined
    ? { kind: 'chunk', chunk: value, item }
    : { kind: 'claim', epoch: Number(epoch), claim: value, item }
}
