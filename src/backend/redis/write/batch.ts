import { StorageError } from '../../../core/errors.ts'
import type { BatchCall } from '../../batcher.ts'
import type { Judged } from '../../key-states.ts'
import type { ApplyOptions, ApplyResult } from '../../replica-backend.ts'
import type { ScriptCall } from '../connection/caller.ts'
import type { OpenDatabase } from '../keyspace/schema.ts'
import { appliedOf, argumentsOf, argumentsOfCondition, failedOf } from '../keyspace/record.ts'
import { APPLY } from '../scripts/apply-n.ts'
import { damagedPart } from '../connection/redis-error.ts'
import { RAISE } from '../scripts/raise-3.ts'
import type { ScriptRunner } from '../keyspace/script-runner.ts'

/** What a call notes beside its operations. */
type Marks = Pick<ApplyOptions, 'hint' | 'cursor'>

/** Told of the number of changes that a shard has acknowledged. */
export type Acknowledged = (shard: number, identity: string, writes: number) => void

/**
 * Applies the calls of one shard in one script and answers each. Hints and cursors are in shard 0:
 * for another shard a hint is raised before (for nothing at worst), a cursor after (too low at
 * worst). A call that cannot be judged, since something it goes by is lost, is answered by its error.
 */
export async function applyBatch(
  runner: ScriptRunner,
  shard: number,
  calls: readonly BatchCall[],
  acknowledged: Acknowledged,
): Promise<readonly (ApplyResult | StorageError)[]> {
  const isHome = shard === 0
  if (!isHome) await raiseHints(runner, calls, acknowledged)
  const results: (ApplyResult | StorageError)[] = []
  let waiting = calls.map((_, i) => i)
  while (waiting.length > 0) {
    const batch = waiting.map((i) => calls[i]!)
    const { identity, reply } = await runner.ask((db) => batchCall(db, shard, batch, isHome))
    acknowledged(shard, identity, Number(reply[0]))
    let lock: string | undefined
    const locked: number[] = []
    waiting.forEach((call, n) => {
      const answers = reply[n + 1] as readonly string[]
      if (answers[0]?.startsWith('LOCKED ') === true) {
        lock = answers[0].slice('LOCKED '.length)
        locked.push(call)
      } else if (answers[0]?.startsWith('DAMAGED ') === true) {
        results[call] = damagedPart(answers[0].slice('DAMAGED '.length))
      } else {
        results[call] = { identity, ...judgedOf(answers, calls[call]!) }
      }
    })
    waiting = locked
    if (lock !== undefined) await runner.unlock(lock)
  }
  if (!isHome) await raiseCursors(runner, calls)
  return results
}

const FAILED = 'FAILED '

/** What became of one group: the condition that did not hold comes before the answers. */
function judgedOf(answers: readonly string[], call: BatchCall): Judged {
  const [first, ...rest] = answers
  if (first?.startsWith(FAILED) !== true) return { applied: answersOf(answers, call) }
  return { applied: answersOf(rest, call), failed: failedOf(first.slice(FAILED.length)) }
}

/** The answers of one group, as a script gave them. */
export function answersOf(
  answers: readonly unknown[],
  { operations }: Pick<BatchCall, 'operations'>,
): ApplyResult['applied'] {
  if (answers.length !== operations.length) {
    throw new StorageError('CORRUPT', 'Redis: a group was not answered whole', {
      effect: 'unknown',
    })
  }
  return operations.map((operation, i) =>
    appliedOf(String(answers[i]), operation.kind === 'put' ? operation.id : ''),
  )
}

export async function raiseHints(
  runner: ScriptRunner,
  calls: readonly Marks[],
  acknowledged: Acknowledged,
): Promise<void> {
  const hints = calls.flatMap(({ hint }) => (hint === undefined ? [] : [hint]))
  if (hints.length === 0) return
  const { identity, reply } = await runner.ask((db) => raiseCall(db, hints, []))
  acknowledged(0, identity, Number(reply[0]))
}

export async function raiseCursors(runner: ScriptRunner, calls: readonly Marks[]): Promise<void> {
  const cursors = calls.flatMap(({ cursor }) =>
    cursor === undefined ? [] : [cursor.writer, String(cursor.lsn)],
  )
  if (cursors.length > 0) await runner.ask((db) => raiseCall(db, [], cursors))
}

function raiseCall(
  { identity, layout }: OpenDatabase,
  hints: readonly string[],
  cursors: readonly string[],
): ScriptCall {
  const keys = [layout.meta(0), layout.part(0, 'hints'), layout.part(0, 'cursors')]
  const args = [identity, String(hints.length), ...hints, ...cursors]
  return { script: RAISE, keys, args, writes: true }
}

/** Numbers the keys of operations in the order in which they come up. */
export class KeyNumbers {
  readonly names: string[] = []
  readonly #numbers = new Map<string, number>()

  of(key: string): number {
    let number = this.#numbers.get(key)
    if (number === undefined) {
      number = this.names.length
      this.#numbers.set(key, number)
      this.names.push(key)
    }
    return number
  }
}

function batchCall(
  { identity, layout }: OpenDatabase,
  shard: number,
  calls: readonly BatchCall[],
  isHome: boolean,
): ScriptCall {
  const numbers = new KeyNumbers()
  const args = [identity, String(layout.hashPrefixBytes(shard)), String(calls.length)]
  for (const { operations, decide, unique, conditions = [], hint, cursor } of calls) {
    const flag = !decide ? '-' : unique ? 'u' : 'j'
    const isMarked = isHome && (hint !== undefined || cursor !== undefined)
    const sizes = conditions.length === 0 ? '' : `:${conditions.length}`
    args.push(`${flag}${isMarked ? '+' : '.'}${operations.length}${sizes}`)
    if (isMarked) args.push(hint ?? '', cursor?.writer ?? '', String(cursor?.lsn ?? ''))
    for (const operation of operations) {
      args.push(...argumentsOf(operation, numbers.of(operation.key)))
    }
    for (const condition of conditions) {
      args.push(...argumentsOfCondition(condition, numbers.of(condition.key)))
    }
  }
  const keys = keysOf(layout, shard, numbers.names)
  return { script: APPLY, keys, args, writes: true }
}

/** The keys of a script that writes: the shard's own, then two for each key. */
export function keysOf(
  layout: OpenDatabase['layout'],
  shard: number,
  names: readonly string[],
): readonly string[] {
  const own = names.flatMap((name) => [layout.hash(shard, name), layout.set(shard, name)])
  return [...layout.shardKeys(shard), ...own]
}
