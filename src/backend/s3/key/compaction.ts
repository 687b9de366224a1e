/*
 * Moves the values of a key from its tail into segments, and writes the index of what is in them.
 *
 * Objects of a new name are written first; nothing names them until the version that does was
 * created, and nothing is removed before that. A process that dies in between leaves objects that
 * nobody names, which a later compaction of the key removes when they are old; two processes that
 * compact at the same time write segments of their own, and the one whose version is not taken
 * removes its own again.
 */
import { randomBytes } from 'node:crypto'
import { valueDigest } from '../../../core/digest.ts'
import { renewedEnvelope } from '../../../core/encryption/envelope.ts'
import { isStorageError } from '../../../core/errors.ts'
import type { JsonText } from '../../../core/json.ts'
import { applyOperation, emptyState, operationsOf, type KeyState } from '../../../core/merge.ts'
import { rangeStamp, type Operation } from '../../../core/operation.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import { ReplacedError, type KeyReader } from './key-reader.ts'
import type { Layout } from './layout.ts'
import {
  KEYS_AT_ONCE,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  TAIL_BYTES_MAX,
  TAIL_OPERATIONS_MAX,
} from '../protocol/limits.ts'
import { encodeObject } from './object-format.ts'
import { mapLimited } from '../../../core/semaphore.ts'
import { refOf, refText } from './value-ref.ts'
import { encodeOperations, type Segment, type Version } from './version.ts'

export interface Compacted {
  readonly base?: string
  readonly segments: readonly Segment[]
  readonly tail: readonly Operation[]
  /** The state with the new references in it. */
  readonly state: KeyState
  /** Last parts of the names of what was written. */
  readonly written: readonly string[]
  /** Last parts of the names that are needed no more once the version stands. */
  readonly garbage: readonly string[]
}

interface Part {
  readonly reader: KeyReader
  readonly client: S3Client
  readonly layout: Layout
}

/** True when the tail is to be moved into segments. */
export function isTailFull(tail: readonly Operation[]): boolean {
  let bytes = 0
  for (const operation of tail) bytes += inlineBytes(operation)
  return tail.length > TAIL_OPERATIONS_MAX || bytes > TAIL_BYTES_MAX
}

/** True when a segment holds a value that the state has no more. */
export function holdsDead(segments: readonly Segment[], key: string, state: KeyState): boolean {
  const live = liveCounts(operationsOf(key, state))
  return segments.some(({ name, count }) => (live.get(name) ?? 0) < count)
}

/** Rewrites the key. With `erases` no segment is kept that holds a value which is gone. */
export async function compact(
  { reader, client, layout }: Part,
  key: string,
  state: KeyState,
  version: Pick<Version, 'base' | 'segments' | 'isEarlier'> | undefined,
  erases: boolean,
  call: S3Call,
): Promise<Compacted> {
  const before = version?.segments ?? []
  const operations = operationsOf(key, state)
  const live = liveCounts(operations)
  const worthy =
    version?.isEarlier === true
      ? []
      : before.filter((segment) => isKept(segment, live.get(segment.name) ?? 0, erases))
  const rest = before.filter((segment) => !worthy.includes(segment))
  const unreadable = erases ? [] : await unreadableOf(reader, key, operations, rest, call)
  const kept = [...worthy, ...unreadable]
  const keptNames = new Set(kept.map(({ name }) => name))
  const garbage = before.filter(({ name }) => !keptNames.has(name)).map(({ name }) => name)
  if (version?.base !== undefined) garbage.push(version.base)
  const whole = await mapLimited(operations, KEYS_AT_ONCE, async (operation) => {
    if (!('value' in operation) || keptNames.has(refOf(operation.value)?.segment ?? '')) {
      return operation
    }
    const value = await reader.value(key, operation.value, call)
    return { ...operation, value: renewedEnvelope(value) }
  })
  if (kept.length === 0 && isSmall(whole)) {
    return { segments: [], tail: whole, state: fold(whole), written: [], garbage }
  }
  const fresh = whole.filter((operation) => inlineBytes(operation) > 0).sort(byPlace)
  const packs = packed(fresh)
  const added = await mapLimited(packs, KEYS_AT_ONCE, async (pack) => {
    const name = newName()
    const body = encodeObject('segment', encodeOperations(key, pack))
    await client.put(layout.values(key) + name, body, call)
    return { name, count: pack.length, bytes: body.byteLength }
  })
  const refs = new Map(
    packs.flatMap((pack, n) =>
      pack.map((operation, at) => {
        const ref = { segment: added[n]!.name, at, digest: valueDigest(operation) }
        return [operation, refText(ref)] as const
      }),
    ),
  )
  const indexed = whole.map((operation) => {
    const value = refs.get(operation)
    return value === undefined ? operation : ({ ...operation, value } as Operation)
  })
  const base = newName()
  const index = encodeObject('index', encodeOperations(key, indexed), true)
  await client.put(layout.values(key) + base, index, call)
  return {
    base,
    segments: [...kept, ...added],
    tail: indexed.filter(({ kind }) => kind !== 'put'),
    state: fold(indexed),
    written: [...added.map(({ name }) => name), base],
    garbage,
  }
}

/**
 * Those of the segments that hold a value and are damaged or missing. They are left as they are: what else is written to the
 * key must not wait until they have been repaired. If one was only replaced meanwhile, a
 * newer version stands, and this one is not taken.
 */
async function unreadableOf(
  reader: KeyReader,
  key: string,
  operations: readonly Operation[],
  segments: readonly Segment[],
  call: S3Call,
): Promise<readonly Segment[]> {
  const samples = new Map<string, JsonText>()
  for (const operation of operations) {
    const segment = 'value' in operation ? refOf(operation.value)?.segment : undefined
    if (segment !== undefined && 'value' in operation) samples.set(segment, operation.value)
  }
  const found = await mapLimited(segments, KEYS_AT_ONCE, async (segment) => {
    const sample = samples.get(segment.name)
    try {
      if (sample !== undefined) await reader.value(key, sample, call)
      return []
    } catch (error) {
      if (error instanceof ReplacedError || isStorageError(error, 'CORRUPT')) return [segment]
      throw error
    }
  })
  return found.flat()
}

function isKept({ count, bytes }: Segment, live: number, erases: boolean): boolean {
  if (bytes < SEGMENT_BYTES_MIN) return false
  return erases ? live === count : live * 2 >= count
}

function isSmall(operations: readonly Operation[]): boolean {
  if (operations.length > TAIL_OPERATIONS_MAX / 2) return false
  let bytes = 0
  for (const operation of operations) bytes += inlineBytes(operation)
  return bytes <= TAIL_BYTES_MAX / 2
}

/** How many operations of the state have their value in each segment. */
function liveCounts(operations: readonly Operation[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const operation of operations) {
    const segment = 'value' in operation ? refOf(operation.value)?.segment : undefined
    if (segment !== undefined) counts.set(segment, (counts.get(segment) ?? 0) + 1)
  }
  return counts
}

/** In segments of a limited size; a larger value has one for itself. */
function packed(operations: readonly Operation[]): Operation[][] {
  const packs: Operation[][] = []
  let bytes = Infinity
  for (const operation of operations) {
    const size = inlineBytes(operation)
    if (bytes + size > SEGMENT_BYTES_MAX) {
      packs.push([])
      bytes = 0
    }
    packs.at(-1)!.push(operation)
    bytes += size
  }
  return packs
}

/** Bytes of a value that stands in the operation itself. */
function inlineBytes(operation: Operation): number {
  if (!('value' in operation) || refOf(operation.value) !== undefined) return 0
  return operation.value.length + 100
}

function fold(operations: readonly Operation[]): KeyState {
  const state = emptyState()
  for (const operation of operations) applyOperation(state, operation)
  return state
}

function byPlace(a: Operation, b: Operation): number {
  const [x, y] = [rangeStamp(a), rangeStamp(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

function newName(): string {
  return randomBytes(12).toString('hex')
}
