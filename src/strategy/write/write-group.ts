import type { FailedCondition } from '../../core/conditions.ts'
import { isStorageError, StorageError, type Effect } from '../../core/errors.ts'
import { isRemoved, type Item } from '../../core/merge.ts'
import { itemName, restamp, type Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import { backoffMs, sleep } from '../../core/time.ts'
import { observeKey, type StoreContext } from '../context.ts'
import { Attempt } from './attempt.ts'
import type { AttemptResult } from './attempt-result.ts'
import { ConditionFailed } from './condition-failed.ts'
import { isDurable } from './durable-places.ts'
import type { WritePolicy } from './write-policy.ts'
import type { ResolvedWriteConfig, WriteGroup, WriteOutcome } from './write-port.ts'

/** Times a group is stamped again because others were ahead. */
const RESTAMPS_MAX = 24
const RETRY_MAX_MS = 2_000

/**
 * Writes a group to the end: stamps it again while a store answers `behind`, and repeats a failed
 * attempt with the stamps of its first try, so that nothing is stored twice.
 */
export async function writeGroup(
  context: StoreContext,
  policy: WritePolicy,
  config: ResolvedWriteConfig,
  group: WriteGroup,
): Promise<WriteOutcome> {
  let current = group
  let restamps = 0
  let retries = 0
  /** Of the attempts so far: what one may have done, a later refusal does not undo. */
  let effect: Effect = 'none'
  for (;;) {
    const result = await begin(context, policy, config, current, effect).run()
    switch (result.kind) {
      case 'acknowledged':
        // In the database and not yet told to the caller: from here on no cached page counts.
        await context.cache?.changed(result.operations.map(({ key }) => key))
        return acknowledged(context, result.operations, result.copies)
      case 'refused':
        if (result.effect === 'unknown') effect = 'unknown'
        if (result.failed !== undefined) throw conditionFailed(group, result.failed, effect)
        if (restamps++ >= RESTAMPS_MAX) throw overtaken(current, effect)
        current = stampAgain(context, current, result, effect)
        break
      case 'failed':
        if (result.error.effect === 'unknown') effect = 'unknown'
        if (!isWorthRetrying(result.error) || retries >= config.maxRetries) {
          throw withEffect(result.error, effect)
        }
        await sleep(
          context.env,
          backoffMs(context.env, retries++, {
            firstMs: config.retryDelayMs,
            maxMs: RETRY_MAX_MS,
          }),
        )
        break
    }
  }
}

function conditionFailed(
  { guard }: WriteGroup,
  failed: FailedCondition,
  effect: Effect,
): ConditionFailed {
  return new ConditionFailed(guard!.conditions[failed.index]!, failed, effect)
}

/** A log that is full refuses a retry as well, but cannot know what the first try has done. */
function begin(
  context: StoreContext,
  policy: WritePolicy,
  config: ResolvedWriteConfig,
  group: WriteGroup,
  effect: Effect,
): Attempt {
  try {
    return new Attempt(context, policy, config, group)
  } catch (error) {
    throw isStorageError(error) ? withEffect(error, effect) : error
  }
}

function acknowledged(
  context: StoreContext,
  operations: readonly Operation[],
  copies: WriteOutcome['copies'],
): WriteOutcome {
  for (const operation of operations) {
    if (operation.kind === 'delete') observeKey(context, operation.key, operation.stamp)
  }
  return { operations, copies, durable: copies.some((place) => isDurable(context, place)) }
}

/** One `behind` stamps the whole group again; message ids stay. Throws what stands for good. */
function stampAgain(
  context: StoreContext,
  { repeat, ...group }: WriteGroup,
  { sent, applied }: Extract<AttemptResult, { kind: 'refused' }>,
  effect: Effect,
): WriteGroup {
  const positions = new Map<string, Stamp>()
  applied.forEach((answer, i) => {
    // What stood for a repeat may have been sent along: there may be more than the group has.
    const operation = sent[i]!
    if (answer.outcome === 'behind') {
      context.clock.observe(answer.stamp, operation.key)
      if (operation.kind === 'put' && answer.position !== undefined) {
        positions.set(itemName(operation), answer.position)
      }
    } else if (answer.outcome === 'conflict') {
      throw takenId(context, operation.key, answer.item, effect)
    } else if (answer.outcome === 'gone') {
      throw new StorageError('NOT_FOUND', 'the message was removed', { effect })
    }
  })
  const operations = (repeat?.given ?? group.operations).map((operation) => {
    const position = operation.kind === 'put' ? positions.get(itemName(operation)) : undefined
    return restamp(operation, context.clock.tick(operation.key), position)
  })
  return { ...group, operations }
}

/** An id that stands cannot be saved with this content; what was removed is remembered. */
export function takenId(
  { known }: StoreContext,
  key: string,
  item: Item,
  effect: Effect = 'none',
): StorageError {
  if (isRemoved(item)) known.removed(key, item)
  const why = isRemoved(item)
    ? 'was removed and cannot be used again until the conversation is cleared'
    : 'already exists with different content'
  return new StorageError('CONFLICT', `message id ${JSON.stringify(item.id)} ${why}`, { effect })
}

/** A timeout has used up its time; `OVERLOADED` asks the caller to slow down. */
function isWorthRetrying(error: StorageError): boolean {
  return isStorageError(error, 'UNAVAILABLE')
}

function withEffect(error: StorageError, effect: Effect): StorageError {
  if (error.effect === effect) return error
  const { code, message, place, operation } = error
  return new StorageError(code, message, {
    effect,
    cause: error,
    ...(place !== undefined && { place }),
    ...(operation !== undefined && { operation }),
  })
}

function overtaken({ operations }: WriteGroup, effect: Effect): StorageError {
  const key = operations[0]?.key ?? ''
  return new StorageError('OVERLOADED', `too many writers of key ${key} at once`, { effect })
}
