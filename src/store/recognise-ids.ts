import { judgePut } from '../core/decide.ts'
import { isStorageError, StorageError } from '../core/errors.ts'
import {
  applyOperation,
  emptyState,
  joinItems,
  mergeItem,
  raiseDeletedThrough,
  type Item,
} from '../core/merge.ts'
import { restamp, type AppendOperation, type Operation } from '../core/operation.ts'
import { DATABASE_PLACES } from '../core/places.ts'
import { withDeadline } from '../core/time.ts'
import { observeKey, type StoreContext } from '../strategy/context.ts'
import { HEDGE_BOUNDS, hedgeDelayMs } from '../strategy/hedge-delay.ts'
import { readMergedById } from '../strategy/read/merged-page.ts'
import { Source } from '../strategy/read/source.ts'
import { takenId } from '../strategy/write/write-group.ts'

/** How long a save waits for a database that may know its ids. Milliseconds. */
const PATIENCE_MS = 1_000

const OF_THE_SAVE =
  'the database that has its first content cannot be reached: try again when both are up'
const OF_A_CLEAR = 'no database can tell whether it was cleared since: try again when one is up'

export interface Recognised {
  /** One for each append: as it stands, or itself. */
  readonly operations: readonly Operation[]
  /** Those of them that stand: their stamps were given out before. */
  readonly earlier: readonly Operation[]
}

/**
 * Finds out which of these appends, all to one key, stand already where the database that is about to
 * decide does not see them: in the memory of this process, in the own log, or in the backup when another
 * process wrote past the primary. So a process that reaches both databases recognises an id that either has, before anything
 * is written. What was cleared stands no more: its id is free.
 *
 * @throws StorageError `CONFLICT` when an id stands with other content; `UNAVAILABLE` when only an edit of it can
 *   be reached, so that nobody knows what was saved first, or, with a shared log, no database at all.
 */
export async function recogniseIds(
  context: StoreContext,
  appends: readonly AppendOperation[],
): Promise<Recognised> {
  const { known } = context
  const { key } = appends[0]!
  const ids = new Set(appends.map(({ id }) => id))
  const logged = await inLog(context, key, ids)
  const isKnown = appends.some((append) => known.itemOf(append) !== undefined)
  if (logged.length === 0 && !isKnown && (await knowsAll(context))) {
    return { operations: appends, earlier: [] }
  }
  const found = await lookUp(context, key, ids, logged)
  const items = new Map(found.items.map((item) => [item.id, item]))
  await tellClear(context, key)
  const earlier: Operation[] = []
  const operations = appends.map((append) => {
    const first = firstOf(append, joined(items.get(append.id), known.itemOf(append)), context)
    if (first !== undefined) {
      // Whoever cleared it in both databases left nothing of it in the shared log.
      if (context.log.isShared() && !found.isAnswered) throw outOfReach(append.id, OF_A_CLEAR)
      earlier.push(first)
    }
    // A clear may have come to light: what is new stands after it.
    return first ?? restamp(append, context.clock.tick(key))
  })
  return { operations, earlier }
}

/** What some place lacks of these ids, and clears, as far as this process, or a shared log, knows. */
async function inLog(
  { log }: StoreContext,
  key: string,
  ids: ReadonlySet<string>,
): Promise<readonly Operation[]> {
  if (!log.isShared() && !DATABASE_PLACES.some((place) => log.hasPending(place, key))) return []
  const pending: Operation[] = []
  for (const place of DATABASE_PLACES) pending.push(...(await log.pendingOf(place, key, ids)))
  return pending
}

/** True when the database that decides has all that any process can be asked about. */
async function knowsAll(context: StoreContext): Promise<boolean> {
  const { env, monitor, places } = context
  if (!places.primary.isUp() || !places.backup.isUp()) return true
  // One that was replaced meanwhile knows no id. One that is late or out is judged by the write itself.
  const delayMs = hedgeDelayMs(context, 'primary', HEDGE_BOUNDS)
  const met = withDeadline(env, delayMs, 'the primary', monitor.meetPrimary()).catch(() => {})
  try {
    const options = { place: 'backup', effect: 'none' } as const
    const asked = atMostTwice(() => monitor.refreshHints())
    await withDeadline(env, PATIENCE_MS, 'the hints', asked, options)
  } catch {
    // Out of reach, as the health manager was told: the primary alone decides.
    return true
  }
  await met
  return monitor.isPrimaryCurrent() && monitor.isTrusted()
}

/** One failed call does not say that a place is out; a late one is not waited for twice. */
async function atMostTwice<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (isStorageError(error, 'TIMEOUT')) throw error
    return await ask()
  }
}

/** The items of these ids in all databases that answer, and in the log. */
async function lookUp(
  context: StoreContext,
  key: string,
  ids: ReadonlySet<string>,
  logged: readonly Operation[],
): Promise<{ readonly items: readonly Item[]; readonly isAnswered: boolean }> {
  const { log, places, tombstones } = context
  const all = DATABASE_PLACES.map((place) => places[place]).filter((place) => !place.isAbsent)
  const healthy = all.filter((place) => place.isUp())
  // Beside a shared log one of them must answer, so they are asked although they were out just now.
  const asked = healthy.length === 0 && log.isShared() ? all : healthy
  const answers = await Promise.allSettled(
    asked.map((place) => {
      const source = new Source(context, place, PATIENCE_MS)
      return atMostTwice(() => readMergedById(context, [source], key, [...ids]))
    }),
  )
  const state = emptyState()
  raiseDeletedThrough(state, tombstones.get(key))
  for (const answer of answers) {
    // One that failed was told to the health manager: what the other one knows is not lost for it.
    if (answer.status === 'fulfilled') for (const item of answer.value) mergeItem(state, item)
  }
  for (const operation of logged) applyOperation(state, operation)
  observeKey(context, key, state.deletedThrough)
  return {
    items: [...state.items.values()].filter(({ id }) => ids.has(id)),
    isAnswered: answers.some(({ status }) => status === 'fulfilled'),
  }
}

/**
 * Brings the clear that is known to the database that decides: to one that lacks it, as when another
 * process cleared past it, what was cleared would stand.
 */
async function tellClear({ cache, places, tombstones }: StoreContext, key: string): Promise<void> {
  const stamp = tombstones.get(key)
  if (stamp === undefined) return
  const decider = places.primary.isUp() ? places.primary : places.backup
  try {
    await decider.apply([{ kind: 'delete', key, stamp }], { timeoutMs: PATIENCE_MS })
    await cache?.changed([key])
  } catch {
    // Out, as the health manager was told: another place decides, or nobody.
  }
}

/** What was found, and what is remembered of it: with a place out, either may lack something. */
function joined(found: Item | undefined, known: Item | undefined): Item | undefined {
  return found === undefined || known === undefined ? (found ?? known) : joinItems(found, known)
}

/** The first save that this one repeats; undefined when its id is free. */
function firstOf(
  append: AppendOperation,
  item: Item | undefined,
  context: StoreContext,
): AppendOperation | undefined {
  if (item === undefined) return undefined
  const verdict = judgePut(item, append, context.tombstones.get(append.key), true)
  if (verdict.outcome === 'conflict') throw takenId(context, append.key, item)
  if (verdict.outcome !== 'stands') return undefined
  const { appendedAt: position, appended: value } = item
  if (position === undefined || value === undefined) {
    // It was edited, and the first save is elsewhere: this content may not go by its stamp.
    throw outOfReach(append.id, OF_THE_SAVE)
  }
  return { ...append, position, stamp: position, value }
}

function outOfReach(id: string, why: string): StorageError {
  return new StorageError('UNAVAILABLE', `message id ${JSON.stringify(id)} exists, but ${why}`)
}
