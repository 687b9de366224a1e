/* What the first attempts to reach the places came to, and whether the store may start with it. */
import {
  isPermanent,
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
} from '../core/errors.ts'
import { namedOnce, withoutPlace, type PlaceName } from '../core/places.ts'

/** Why a place is not there after its first attempt. */
export interface StartFailure {
  readonly place: PlaceName
  readonly error: unknown
}

export interface StartOutcome {
  readonly failures: readonly StartFailure[]
  /** Some durable place is there. */
  readonly isUsable: boolean
  /** Some database is there. */
  readonly hasDatabase: boolean
}

/**
 * The error with which a store does not start; undefined: it does. What is damaged, or will never mend by
 * itself, is told at once: a store that ran without it would do so for ever.
 */
export function startError(
  { failures, isUsable, hasDatabase }: StartOutcome,
  allowDegradedStart: boolean,
): StorageError | undefined {
  const damaged = failures.find(({ error }) => isStorageError(error, 'CORRUPT'))
  if (damaged !== undefined) return damaged.error as StorageError
  const mistakes = allowDegradedStart ? [] : failures.filter(({ error }) => isPermanent(error))
  if (mistakes.length > 0) return mistakeError(mistakes, isUsable && hasDatabase)
  if (isUsable) return undefined
  const reasons = failures.map(({ place, error }) => namedOnce(place, messageOf(error)))
  return new StorageConnectionError('store', `no durable place: ${reasons.join('; ')}`, {
    cause: causeOf(failures),
  })
}

function mistakeError(mistakes: readonly StartFailure[], mayStart: boolean): StorageError {
  const places = new Map<string, PlaceName[]>()
  for (const { place, error } of mistakes) {
    const reason = withoutPlace(place, messageOf(error))
    places.set(reason, [...(places.get(reason) ?? []), place])
  }
  const reasons = [...places].map(([reason, names]) => `${names.join(' and ')}: ${reason}`)
  const hint = mayStart ? ' (allowDegradedStart: true opens the store all the same)' : ''
  const text = reasons.join('; ') + hint
  const [first] = mistakes
  const { code } = first!.error as StorageError
  const options = {
    ...(mistakes.length === 1 && { place: first!.place }),
    cause: causeOf(mistakes),
  }
  return code === 'CONNECTION'
    ? new StorageConnectionError('store', text, { ...options, permanent: true })
    : new StorageError(code, text, options)
}

function causeOf(failures: readonly StartFailure[]): unknown {
  const errors = failures.map(({ error }) => error)
  return errors.length === 1 ? errors[0] : new AggregateError(errors)
}
