import type { JsonText } from '../../../core/json.ts'

/**
 * Where a value is that was not fetched. It stands in the value's place in the states of keys: the
 * rules of merging never look into values, so a state can be judged, paged, counted and digested
 * without them. JSON never begins with its first character.
 */
export interface ValueRef {
  /** The last part of the segment's name. */
  readonly segment: string
  /** Which operation of the segment has it. */
  readonly at: number
  /** Digest of that operation but for the position of an edit (`valueDigest` of `core/digest.ts`). */
  readonly digest: number
}

const MARK = '@'

export function refText({ segment, at, digest }: ValueRef): JsonText {
  return `${MARK}${segment} ${at} ${digest}` as JsonText
}

/** The reference that stands for a value; undefined for a value itself. */
export function refOf(value: string): ValueRef | undefined {
  if (!value.startsWith(MARK)) return undefined
  const [segment, at, digest] = value.slice(1).split(' ')
  return { segment: segment!, at: Number(at), digest: Number(digest) }
}
