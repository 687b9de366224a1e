/*
 * What an attempt to write a group does next, as a pure function of what is known of it; SPEC.md has the
 * table and what is promised. It is asked again after each command that it gave and after each answer.
 */
import { DATABASE_PLACES, type PlaceName } from '../../core/places.ts'
import type { PlaceStates, WritePolicy } from './write-policy.ts'

export const PLACES: readonly PlaceName[] = ['primary', 'backup', 'wal']

/**
 * - `early`: nobody is late yet.
 * - `overdue`: the hedge delay has passed.
 * - `up`: the attempt has used up its time.
 */
export type Time = 'early' | 'overdue' | 'up'

/** What is known of an attempt. */
export interface AttemptView {
  readonly policy: WritePolicy
  /**
   * - `plain`: anything with stamps of this writer's.
   * - `ids`: appends with ids of the caller's. One place decides whether they are new.
   * - `clear`: a clear, which every place is to hear of at once.
   * - `if`: a group with conditions. One database judges them, and then all have it.
   */
  readonly kind: 'plain' | 'ids' | 'clear' | 'if'
  readonly places: PlaceStates
  /** The same, with copies that are on one machine counted once. */
  readonly distinct: PlaceStates
  /** What tells other processes, through the backup, that the primary lacks the group. */
  readonly hint: 'none' | 'sent' | 'done'
  readonly time: Time
  /** The primary answers nobody: it does not hold up what it is to decide. */
  readonly primarySilent: boolean
  /** The primary counts as failed because its circuit is open: it was not asked. */
  readonly primarySkipped: boolean
  /** Ids and conditions may be decided without the primary. */
  readonly decideWithoutPrimary: boolean
  /** Nothing may be acknowledged that the log does not have, and it does not have this. */
  readonly lacksLog: boolean
  /** True when these copies are as many durable ones as were asked for. */
  isDurable(copies: readonly PlaceName[]): boolean
}

export type Command =
  | { readonly kind: 'send'; readonly place: PlaceName }
  /** The primary is asked although its circuit is open. */
  | { readonly kind: 'send-skipped' }
  /** The backup is told that the primary lacks the group. */
  | { readonly kind: 'hint' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'acknowledge'; readonly copies: readonly PlaceName[] }
  | { readonly kind: 'fail'; readonly why: 'time' | 'copies' | 'log' }

const WAIT: Command = { kind: 'wait' }
const HINT: Command = { kind: 'hint' }

export function nextStep(view: AttemptView): Command {
  if (view.time === 'up') return atTheEnd(view)
  if (isEnough(view)) return confirm(view)
  const place = due(view).find((name) => view.places[name] === 'idle')
  if (place !== undefined) return { kind: 'send', place }
  const { hint, time } = view
  // With the log out too the backup may stay the only one: its copy must count when time is up.
  if (time === 'overdue' && isHintMissing(view)) return HINT
  // The others hang and may do so until time is up.
  if (time === 'overdue' && mayAskSkipped(view) && !isDurable(view)) return { kind: 'send-skipped' }
  if (hint === 'sent' || PLACES.some((name) => view.places[name] === 'sent')) return WAIT
  return conclude(view)
}

/** Copies that count, each once. */
export function copiesOf({ distinct }: Pick<AttemptView, 'distinct'>): PlaceName[] {
  return PLACES.filter((place) => distinct[place] === 'done')
}

/** True when some database has said whether the ids are new, or whether the conditions hold. */
export function isDecided(places: PlaceStates): boolean {
  return places.primary === 'done' || places.backup === 'done'
}

function isDurable(view: AttemptView): boolean {
  return view.isDurable(copiesOf(view))
}

function isHintMissing({ places, hint }: AttemptView): boolean {
  return places.backup === 'done' && places.primary !== 'done' && hint === 'none'
}

function isEnough(view: AttemptView): boolean {
  const { policy, kind, places, distinct, time } = view
  // The other database may have something newer, that a clear is to take as well.
  const isWaitedFor = kind === 'clear' && DATABASE_PLACES.some((name) => places[name] === 'sent')
  const hasEnough =
    kind === 'clear' ? copiesOf(view).length >= 2 : policy.enough(distinct, time !== 'early')
  return hasEnough && !isWaitedFor && !view.lacksLog && isDurable(view)
}

/** Enough places have it. Of the backup alone others must know, or they take the primary for complete. */
function confirm(view: AttemptView): Command {
  if (isHintMissing(view)) return HINT
  const isUnderWay = view.places.backup === 'done' && view.places.primary !== 'done'
  // A hint that goes with the group itself is not waited for: that copy is not counted yet.
  if (isUnderWay && view.hint === 'sent') return WAIT
  return { kind: 'acknowledge', copies: copiesOf(view) }
}

/** Places that are to be asked by now, in this order. */
function due(view: AttemptView): readonly PlaceName[] {
  const { policy, kind, places, distinct, time } = view
  if (kind === 'clear') return PLACES
  if (isUndecided(view)) return dueUndecided(view)
  const troubled = places.primary === 'failed' || distinct.wal === 'failed' || time === 'overdue'
  return troubled ? ['wal', 'primary', 'backup'] : [...policy.atOnce, 'wal']
}

/**
 * One place decides whether ids are new. While the primary may yet do so nobody else is asked: a hedge
 * brings what is decided to a second place, and never makes a second decision. Asked at the same time, a
 * backup that lacks the first save would take other content for a new message.
 */
function dueUndecided(view: AttemptView): readonly PlaceName[] {
  const { kind, places, primarySilent, decideWithoutPrimary } = view
  const mayYetDecide = places.primary !== 'failed' && !primarySilent
  if (mayYetDecide || !decideWithoutPrimary) return ['primary']
  // The log decides on ids when no database does, so it must not wait for the backup's deadline. What
  // conditions look at it cannot tell.
  return places.backup === 'failed' && kind === 'ids' ? ['primary', 'wal'] : ['primary', 'backup']
}

function isUndecided({ kind, places }: AttemptView): boolean {
  return (kind === 'ids' || kind === 'if') && !isDecided(places)
}

/** A primary that alone may judge conditions, and is out, is not waited for. */
function mayAskSkipped({ kind, primarySkipped, decideWithoutPrimary }: AttemptView): boolean {
  return primarySkipped && (kind !== 'if' || decideWithoutPrimary)
}

/** Everybody who was asked has answered. */
function conclude(view: AttemptView): Command {
  const { places, decideWithoutPrimary } = view
  if (!isDurable(view)) {
    // What the policy waits for is there, but not durable enough: the databases are asked too.
    const mayAsk = !isUndecided(view) || decideWithoutPrimary
    const idle = DATABASE_PLACES.find((place) => places[place] === 'idle')
    if (mayAsk && idle !== undefined) return { kind: 'send', place: idle }
    // Nobody else is left: a last attempt is made anyway.
    return mayAskSkipped(view) ? { kind: 'send-skipped' } : { kind: 'fail', why: 'copies' }
  }
  if (view.lacksLog) return { kind: 'fail', why: 'log' }
  return isHintMissing(view) ? HINT : { kind: 'acknowledge', copies: copiesOf(view) }
}

function atTheEnd(view: AttemptView): Command {
  // Without a hint others would take the primary for complete: the backup's copy does not count.
  const isKnown = view.places.primary === 'done' || view.hint === 'done'
  const copies = copiesOf(view).filter((place) => place !== 'backup' || isKnown)
  return view.isDurable(copies) && !view.lacksLog
    ? { kind: 'acknowledge', copies }
    : { kind: 'fail', why: 'time' }
}
