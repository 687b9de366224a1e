import { RedisError } from './reply.ts'

export interface StreamRecord {
  /** The first part of its id; the second one is always 0. */
  readonly n: number
  readonly fields: readonly string[]
}

/** An entry that a consumer was given and has not confirmed. */
export interface PendingRecord {
  readonly n: number
  consumer: string
  deliveredMs: number
  count: number
}

/** What a consumer group lacks. */
export interface ConsumerGroup {
  lastDelivered: number
  /** By id. */
  pending: PendingRecord[]
  readonly consumers: Set<string>
}

/** A stream whose ids all end with -0. */
export interface Stream {
  records: StreamRecord[]
  lastId: number
  readonly groups: Map<string, ConsumerGroup>
}

export function emptyStream(): Stream {
  return { records: [], lastId: 0, groups: new Map() }
}

export function copyStream({ records, lastId, groups }: Stream): Stream {
  return {
    records: [...records],
    lastId,
    groups: new Map(
      [...groups].map(([name, { lastDelivered, pending, consumers }]) => [
        name,
        {
          lastDelivered,
          pending: pending.map((each) => ({ ...each })),
          consumers: new Set(consumers),
        },
      ]),
    ),
  }
}

/** Where an entry with this id is, or would be. */
export function indexOf(sorted: readonly { readonly n: number }[], n: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]!.n < n) low = middle + 1
    else high = middle
  }
  return low
}

export function findById<T extends { readonly n: number }>(
  sorted: readonly T[],
  n: number,
): T | undefined {
  const found = sorted[indexOf(sorted, n)]
  return found?.n === n ? found : undefined
}

/** Those from one id to another, `-`, `+` and `(` included. */
export function between<T extends { readonly n: number }>(
  sorted: readonly T[],
  from: string,
  to: string,
): readonly T[] {
  const first = from.startsWith('(') ? parseId(from.slice(1)) + 1 : boundOf(from)
  const last = to.startsWith('(') ? parseId(to.slice(1)) - 1 : boundOf(to)
  return sorted.slice(indexOf(sorted, first), indexOf(sorted, last + 1))
}

export function idOf(n: number): string {
  return `${n}-0`
}

export function parseId(text: string): number {
  const found = /^(\d+)(?:-0)?$/.exec(text)?.[1]
  if (found === undefined) throw new RedisError(`ERR Invalid stream ID ${text}, or not supported`)
  return Number(found)
}

function boundOf(text: string): number {
  if (text === '-') return 0
  return text === '+' ? Number.MAX_SAFE_INTEGER - 1 : parseId(text)
}
