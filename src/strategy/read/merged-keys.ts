/*
 * Lists of keys out of several sources and what is pending for each of them. A key that every
 * source returned alike, and that nothing is pending for, is taken as it is; any other one is
 * checked by a read of its own, since another place may have cleared it or know later messages.
 */
import type { KeyRead, LatestKey } from '../../backend/replica-backend.ts'
import { StorageError } from '../../core/errors.ts'
import { applyOperation, emptyState, mergeRegister, raiseDeletedThrough } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import { compareText } from '../../core/text.ts'
import type { Register } from '../../core/merge.ts'
import { observeKey, type StoreContext } from '../context.ts'
import { readMergedPage } from './merged-page.ts'
import type { Source } from './source.ts'

/** Keys that are checked at once. */
const CHECKS_MAX = 16
/** Fetches of one page: only keys that were cleared elsewhere make more than one necessary. */
const ROUNDS_MAX = 10_000

export interface KeysQuery {
  readonly prefix: string
  readonly after?: string
  readonly limit: number
}

export interface LatestKeysQuery {
  readonly prefix: string
  readonly before?: LatestKey
  readonly limit: number
}

/** The merged register of a key. */
export async function readMergedRegister(
  context: StoreContext,
  sources: readonly Source[],
  key: string,
): Promise<Register | undefined> {
  const cleared = context.tombstones.get(key)
  const pending: Operation[] = []
  for (const source of sources) pending.push(...(await source.pending(key)))
  const reads = await Promise.all(sources.map((source) => source.readRegister(key)))
  return mergeReads(context, key, reads, { pending, cleared })
}

/**
 * The merged registers of 1 to 1000 keys, in their order: one call of each source, and beside it one look
 * for each key that something is pending for.
 */
export async function readMergedRegisters(
  context: StoreContext,
  sources: readonly Source[],
  keys: readonly string[],
): Promise<readonly (Register | undefined)[]> {
  const cleared = keys.map((key) => context.tombstones.get(key))
  const tails = new Map<string, Operation[]>()
  for (const source of sources) {
    for (const key of await source.pendingAmong(keys)) {
      tails.set(key, [...(tails.get(key) ?? []), ...(await source.pending(key))])
    }
  }
  const answers = await Promise.all(sources.map((source) => source.readRegisters(keys)))
  return keys.map((key, i) =>
    mergeReads(
      context,
      key,
      answers.map((reads) => reads[i]!),
      { pending: tails.get(key) ?? [], cleared: cleared[i] },
    ),
  )
}

function mergeReads(
  context: StoreContext,
  key: string,
  reads: readonly Omit<KeyRead, 'identity'>[],
  /** What was known before the places were asked. */
  known: { readonly pending: readonly Operation[]; readonly cleared: Stamp | undefined },
): Register | undefined {
  const state = emptyState()
  raiseDeletedThrough(state, known.cleared)
  for (const { deletedThrough, register } of reads) {
    raiseDeletedThrough(state, deletedThrough)
    if (register !== undefined) mergeRegister(state, register)
  }
  for (const operation of known.pending)
    if (operation.kind !== 'put') applyOperation(state, operation)
  observeKey(context, key, state.deletedThrough)
  if (state.register !== undefined) context.clock.observe(state.register.stamp, key)
  return state.register
}

/** A page of keys that are seen. It is empty only at the end, so that whoever goes on has a key to go on from. */
export async function listMergedKeys(
  context: StoreContext,
  sources: readonly Source[],
  query: KeysQuery,
): Promise<{ readonly keys: readonly string[]; readonly done: boolean }> {
  let from = query
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { live, horizon } = await liveKeys(context, sources, from)
    if (live.length > 0 || horizon === undefined) {
      const keys = live.slice(0, query.limit)
      return { keys, done: horizon === undefined && live.length <= query.limit }
    }
    from = { ...query, after: horizon }
  }
  throw tooManyRounds()
}

/** Keys of the next page that are seen, one more than wanted, and up to which key that is known. */
async function liveKeys(
  context: StoreContext,
  sources: readonly Source[],
  query: KeysQuery,
): Promise<{ readonly live: readonly string[]; readonly horizon: string | undefined }> {
  const pending = await pendingWithin(sources, (key) => isWithin(key, query))
  const pages = await Promise.all(sources.map((source) => source.listKeys(query)))
  const returned = pages.map(({ keys }) => new Set(keys))
  const edges = pages.filter(({ done }) => !done).map(({ keys }) => keys.at(-1)!)
  const horizon = edges.sort(compareText)[0]
  const candidates = [...new Set([...pages.flatMap(({ keys }) => keys), ...pending])]
    .filter((key) => horizon === undefined || compareText(key, horizon) <= 0)
    .sort(compareText)
  const sure = (key: string): boolean => !pending.has(key) && returned.every((set) => set.has(key))
  const live = await filterLive(candidates, query.limit + 1, async (key) =>
    sure(key) ? true : await isLive(context, sources, key),
  )
  return { live, horizon }
}

/** The same by the latest item. What turns out to stand further on is kept for when that is reached. */
export async function listMergedLatest(
  context: StoreContext,
  sources: readonly Source[],
  query: LatestKeysQuery,
): Promise<{ readonly keys: readonly LatestKey[]; readonly done: boolean }> {
  const known = new Map<string, LatestKey | undefined>()
  let from = query
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const horizon = await addLatest(context, sources, from, known)
    const entries = [...known.values()]
      .filter((entry) => entry !== undefined)
      .filter((entry) => query.before === undefined || compareLatest(entry, query.before) > 0)
      .filter((entry) => horizon === undefined || compareLatest(entry, horizon) <= 0)
      .sort(compareLatest)
    if (entries.length > 0 || horizon === undefined) {
      const keys = entries.slice(0, query.limit)
      return { keys, done: horizon === undefined && entries.length <= query.limit }
    }
    from = { ...query, before: horizon }
  }
  throw tooManyRounds()
}

/** Adds where the keys of the next page stand, and returns up to where that is known. */
async function addLatest(
  context: StoreContext,
  sources: readonly Source[],
  query: LatestKeysQuery,
  known: Map<string, LatestKey | undefined>,
): Promise<LatestKey | undefined> {
  const pending = await pendingWithin(sources, (key) => key.startsWith(query.prefix))
  const pages = await Promise.all(sources.map((source) => source.listLatest(query)))
  const returned = pages.map(({ keys }) => new Map(keys.map((entry) => [entry.key, entry.latest])))
  const candidates = new Set([...returned.flatMap((map) => [...map.keys()]), ...pending])
  await inChunks([...candidates], async (key) => {
    if (known.has(key)) return
    const latest = returned[0]!.get(key)
    const sure =
      latest !== undefined && !pending.has(key) && returned.every((map) => map.get(key) === latest)
    const exact = sure ? latest : await latestOf(context, sources, key)
    known.set(key, exact === undefined ? undefined : { key, latest: exact })
  })
  const edges = pages.filter(({ done }) => !done).map(({ keys }) => keys.at(-1)!)
  return edges.sort(compareLatest)[0]
}

function tooManyRounds(): StorageError {
  return new StorageError('OVERLOADED', `a list needed more than ${ROUNDS_MAX} fetches`)
}

/** Latest first; equal ones by key. */
function compareLatest(a: LatestKey, b: LatestKey): number {
  return a.latest > b.latest ? -1 : a.latest < b.latest ? 1 : compareText(a.key, b.key)
}

function isWithin(key: string, { prefix, after }: KeysQuery): boolean {
  return key.startsWith(prefix) && (after === undefined || compareText(key, after) > 0)
}

async function pendingWithin(
  sources: readonly Source[],
  isWanted: (key: string) => boolean,
): Promise<Set<string>> {
  const keys = new Set<string>()
  for (const source of sources) {
    for (const key of await source.pendingKeys()) if (isWanted(key)) keys.add(key)
  }
  return keys
}

/** The first `count` keys that pass, in order; a chunk is checked at once. */
async function filterLive(
  keys: readonly string[],
  count: number,
  isWanted: (key: string) => Promise<boolean>,
): Promise<string[]> {
  const live: string[] = []
  for (let from = 0; from < keys.length && live.length < count; from += CHECKS_MAX) {
    const chunk = keys.slice(from, from + CHECKS_MAX)
    const verdicts = await Promise.all(chunk.map(isWanted))
    live.push(...chunk.filter((_, i) => verdicts[i]))
  }
  return live.slice(0, count)
}

async function inChunks(
  keys: readonly string[],
  visit: (key: string) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < keys.length; from += CHECKS_MAX) {
    await Promise.all(keys.slice(from, from + CHECKS_MAX).map(visit))
  }
}

async function isLive(
  context: StoreContext,
  sources: readonly Source[],
  key: string,
): Promise<boolean> {
  if ((await latestOf(context, sources, key)) !== undefined) return true
  return (await readMergedRegister(context, sources, key)) !== undefined
}

async function latestOf(
  context: StoreContext,
  sources: readonly Source[],
  key: string,
): Promise<LatestKey['latest'] | undefined> {
  const page = await readMergedPage(context, sources, { key, limit: 1, order: 'newest' })
  return page.items[0]?.position
}
