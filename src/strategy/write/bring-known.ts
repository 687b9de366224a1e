/*
 * What the database that is about to judge conditions does not have yet, as far as this process can know, is
 * merged into it first: what the logs have pending for it, and what other processes wrote past the primary.
 */
import type { CallOptions } from '../../backend/replica-backend.ts'
import type { Condition } from '../../core/conditions.ts'
import { itemValue, operationsOfItem, type Item } from '../../core/merge.ts'
import { GROUP_OPERATIONS_MAX } from '../../core/limits.ts'
import type { Operation } from '../../core/operation.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { Stamp } from '../../core/stamp.ts'
import { withDeadline } from '../../core/time.ts'
import { observeKey, type StoreContext } from '../context.ts'
import { HEDGE_BOUNDS, hedgeDelayMs } from '../hedge-delay.ts'
import { Source } from '../read/source.ts'

/** How long a conditional group waits for the backup's hints. Milliseconds. */
const PATIENCE_MS = 1_000
/** Items of one look at the end of a list. */
const TAIL_ITEMS = 100
/** Looks at the end of a list: a visible item behind so many removed ones is not found. */
const TAIL_LOOKS_MAX = 100

/** What of a key the conditions, and the group itself, are about. */
interface Subject {
  readonly ids: Set<string>
  value: boolean
  last: boolean
}

/**
 * Tells the database what it lacks of what these conditions look at.
 *
 * @throws StorageError when the log, or a database that is known to have more, does not answer.
 */
export async function bringKnown(
  context: StoreContext,
  decider: DatabasePlace,
  conditions: readonly Condition[],
  limits: CallOptions & { readonly timeoutMs: number },
): Promise<void> {
  const subjects = subjectsOf(conditions)
  const known: Operation[] = []
  for (const [key, subject] of subjects)
    known.push(...(await pendingFor(context, decider, key, subject)))
  if (decider === 'primary' && !(await isPrimaryWhole(context))) {
    for (const [key, subject] of subjects) known.push(...(await inBackup(context, key, subject)))
  }
  if (known.length === 0) return
  for (let from = 0; from < known.length; from += GROUP_OPERATIONS_MAX) {
    await context.places[decider].apply(known.slice(from, from + GROUP_OPERATIONS_MAX), limits)
  }
  for (const operation of known) observe(context, operation)
  await context.cache?.changed([...subjects.keys()])
}

function subjectsOf(conditions: readonly Condition[]): ReadonlyMap<string, Subject> {
  const subjects = new Map<string, Subject>()
  for (const condition of conditions) {
    const { key } = condition
    let subject = subjects.get(key)
    if (subject === undefined) {
      subjects.set(key, (subject = { ids: new Set(), value: false, last: false }))
    }
    if ('last' in condition) subject.last = true
    else if ('id' in condition) subject.ids.add(condition.id)
    else subject.value = true
  }
  return subjects
}

async function pendingFor(
  { log }: StoreContext,
  place: DatabasePlace,
  key: string,
  { ids, value, last }: Subject,
): Promise<readonly Operation[]> {
  if (!log.isShared() && !log.hasPending(place, key)) return []
  if (!value && !last) return await log.pendingOf(place, key, ids)
  const pending = await log.pending(place, key)
  return last ? pending : pending.filter((each) => each.kind !== 'put' || ids.has(each.id))
}

/** True when the primary has all that any process can be asked about. */
async function isPrimaryWhole(context: StoreContext): Promise<boolean> {
  const { env, monitor, places } = context
  const delayMs = hedgeDelayMs(context, 'primary', HEDGE_BOUNDS)
  // One that was replaced meanwhile knows nothing. One that is late is judged by the write itself.
  const met = withDeadline(env, delayMs, 'the primary', monitor.meetPrimary()).catch(() => {})
  if (places.backup.isAbsent) {
    await met
    return true
  }
  // Out of reach: the primary alone decides.
  if (!places.backup.isUp()) return true
  try {
    const options = { place: 'backup', effect: 'none' } as const
    await withDeadline(env, PATIENCE_MS, 'the hints', monitor.refreshHints(), options)
  } catch {
    return true
  }
  await met
  return monitor.isPrimaryCurrent() && monitor.isTrusted()
}

/** What the backup has of a key, for a primary that some process wrote past. */
async function inBackup(
  context: StoreContext,
  key: string,
  { ids, value, last }: Subject,
): Promise<readonly Operation[]> {
  const { places } = context
  const backup = new Source(context, places.backup, PATIENCE_MS)
  const found: Operation[] = []
  const take = (through: Stamp | undefined, items: readonly Item[]): void => {
    if (through !== undefined) found.push({ kind: 'delete', key, stamp: through })
    for (const item of items) found.push(...operationsOfItem(key, item))
  }
  if (value) {
    const { register, deletedThrough } = await backup.readRegister(key)
    take(deletedThrough, [])
    if (register !== undefined) found.push({ kind: 'set', key, ...register })
  }
  const wanted = new Set(ids)
  if (last) {
    const primary = new Source(context, places.primary, PATIENCE_MS)
    const tail = await tailOf(backup, key)
    take(tail.deletedThrough, tail.items)
    // What the primary shows there may have been removed in the backup.
    for (const { id } of (await tailOf(primary, key)).items) wanted.add(id)
    for (const { id } of tail.items) wanted.delete(id)
  }
  const all = [...wanted]
  for (let from = 0; from < all.length; from += GROUP_OPERATIONS_MAX) {
    const page = await backup.readItemsById(key, all.slice(from, from + GROUP_OPERATIONS_MAX))
    take(page.deletedThrough, page.items)
  }
  return found
}

/** The items at the end of a list, removed ones too, up to one that is visible. */
async function tailOf(
  source: Source,
  key: string,
): Promise<{ readonly items: readonly Item[]; readonly deletedThrough: Stamp | undefined }> {
  const items: Item[] = []
  let deletedThrough: Stamp | undefined
  for (let look = 0; look < TAIL_LOOKS_MAX; look++) {
    const before = items.at(-1)?.position
    const page = await source.readItems({
      key,
      limit: TAIL_ITEMS,
      order: 'newest',
      includeRemoved: true,
      ...(before !== undefined && { before }),
    })
    deletedThrough = page.deletedThrough
    items.push(...page.items)
    if (page.done || page.items.some((item) => itemValue(item) !== undefined)) break
  }
  return { items, deletedThrough }
}

/** What is stamped from here on is greater. */
function observe(context: StoreContext, operation: Operation): void {
  context.clock.observe(operation.stamp, operation.key)
  if (operation.kind === 'delete') observeKey(context, operation.key, operation.stamp)
}
