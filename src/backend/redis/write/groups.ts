/*
 * Groups whose keys are in several shards, which no script can change at once.
 *
 * A group that is judged is prepared in each of its shards: judged, noted down as an intent, its
 * keys held. Then its record in one of them, the home shard, changes from pending to committed: that
 * is the moment at which all of it is applied. Last each shard applies its intent and lets the keys
 * go. Whoever meets a held key, reader or writer, asks the record: a committed group it finishes, a
 * pending one it waits for, and one that has been pending for too long it aborts. So the group is
 * there whole or not at all whoever dies when, and nobody waits for the dead.
 *
 * A group that is only merged is not prepared: its parts are applied side by side. All of it is
 * there once it is acknowledged; until then whoever applies without judging holds the operations
 * elsewhere (in a WAL, in the other database) and applies them again.
 */
import type { Env } from '../../../core/env.ts'
import type { Condition, FailedCondition } from '../../../core/conditions.ts'
import { isRefusal, type Verdict } from '../../../core/decide.ts'
import { effectOf, isStorageError, messageOf, StorageError } from '../../../core/errors.ts'
import type { Operation } from '../../../core/operation.ts'
import type { Stamp } from '../../../core/stamp.ts'
import type { BatchCall } from '../../batcher.ts'
import type { ApplyOptions, ApplyResult } from '../../replica-backend.ts'
import { answersOf, applyBatch, KeyNumbers, keysOf, raiseCursors, raiseHints } from './batch.ts'
import type { Acknowledged } from './batch.ts'
import { groupBy } from '../../../core/group-by.ts'
import { withDeadline } from '../../../core/time.ts'
import { checkSignal } from '../../check-signal.ts'
import { argumentsOf, argumentsOfCondition, failedOf } from '../keyspace/record.ts'
import { damagedPart } from '../connection/redis-error.ts'
import type { OpenDatabase } from '../keyspace/schema.ts'
import { DECIDE } from '../scripts/decide-2.ts'
import { FINISH } from '../scripts/finish-n.ts'
import { LIST_GROUPS } from '../scripts/list-groups-2.ts'
import { PREPARE } from '../scripts/prepare-n.ts'
import { READ_INTENT } from '../scripts/read-intent-2.ts'
import type { Answer, ScriptRunner } from '../keyspace/script-runner.ts'

/** A group that is pending for longer is aborted by whoever meets it. Seconds. */
const PENDING_S_MAX = 5
/** Records older than this are cleaned up at connect; no message is under way for so long. Seconds. */
const RECORD_S_MAX = 600

type Decision = 'committed' | 'aborted' | 'pending'
type Wish = 'commit' | 'abort'

/** The part of a group that is in one shard. */
interface Part {
  readonly shard: number
  readonly operations: readonly Operation[]
  /** Where they stand in the group. */
  readonly places: readonly number[]
  readonly conditions: readonly Condition[]
  /** Where they stand among all of the group. */
  readonly conditionPlaces: readonly number[]
  readonly names: readonly string[]
}

/** What a group over several shards is applied with. */
export interface SpreadParts {
  readonly env: Env
  readonly runner: ScriptRunner
  readonly acknowledged: Acknowledged
}

/** Applies a group over several shards, whole or not at all. */
export async function applySpread(
  parts: SpreadParts,
  operations: readonly Operation[],
  options: ApplyOptions,
  timeoutMs: number,
): Promise<ApplyResult> {
  const limitMs = options.timeoutMs ?? timeoutMs
  const { signal } = options
  checkSignal(signal)
  const context = { effect: 'unknown', operation: 'apply', signal } as const
  const applied = applyMarked(parts, operations, options, limitMs)
  return await withDeadline(parts.env, limitMs, 'Redis', applied, context)
}

async function applyMarked(
  parts: SpreadParts,
  operations: readonly Operation[],
  options: ApplyOptions,
  limitMs: number,
): Promise<ApplyResult> {
  await raiseHints(parts.runner, [options], parts.acknowledged)
  const result =
    options.decide === true
      ? await applyJudged(parts, operations, options, limitMs)
      : await applyMerged(parts, operations)
  await raiseCursors(parts.runner, [options])
  return result
}

async function applyMerged(
  { runner, acknowledged }: SpreadParts,
  operations: readonly Operation[],
): Promise<ApplyResult> {
  const { identity, layout } = await runner.open()
  const parts = partsOf(operations, [], layout)
  const outcomes = await Promise.allSettled(
    parts.map(async (part) => {
      const call: BatchCall = { operations: part.operations, decide: false, unique: false }
      const [result] = await applyBatch(runner, part.shard, [call], acknowledged)
      if (isStorageError(result)) throw result
      return result!.applied
    }),
  )
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected')
  if (failures.length === 0) {
    const answers = outcomes.map((outcome) => (outcome as { value: readonly Verdict[] }).value)
    return { identity, applied: inOrder(parts, answers) }
  }
  const isNone =
    failures.length === parts.length && failures.every(({ reason }) => effectOf(reason) === 'none')
  throw failed(failures[0]!.reason, isNone ? 'none' : 'unknown')
}

async function applyJudged(
  parts: SpreadParts,
  operations: readonly Operation[],
  { unique = false, conditions = [] }: ApplyOptions,
  limitMs: number,
): Promise<ApplyResult> {
  const deadline = parts.env.monotonic() + limitMs
  let judged = conditions
  while (parts.env.monotonic() < deadline) {
    const outcome = await attempt(parts, operations, unique, judged)
    // One shard has the group from an earlier call: it was decided then, whatever others say now.
    if (outcome === STANDS) judged = []
    else if (typeof outcome !== 'string') return outcome
    else if (outcome !== '') await parts.runner.unlock(outcome)
  }
  throw new StorageError('TIMEOUT', 'Redis: other groups held the keys of this one for too long')
}

/** A group whose conditions do not hold any more stands already. */
const STANDS = 'stands'

/**
 * The result, or the lock in the way, or nothing when somebody else has aborted this attempt, or `STANDS`.
 */
async function attempt(
  { env, runner, acknowledged }: SpreadParts,
  operations: readonly Operation[],
  unique: boolean,
  conditions: readonly Condition[],
): Promise<ApplyResult | string> {
  const { layout } = await runner.open()
  const parts = partsOf(operations, conditions, layout)
  const name = Buffer.from(env.randomBytes(12)).toString('hex')
  const group = new SpreadGroup(runner, name, parts[0]!.shard)
  const shards = parts.map(({ shard }) => shard).join()
  const prepared = await Promise.allSettled(
    parts.map(async (part) => await group.prepare(part, shards, unique)),
  )
  const conclude = async (wish: Wish, isAnswered = true): Promise<void> => {
    try {
      await group.conclude(parts, wish, acknowledged, isAnswered)
    } catch (error) {
      // Once it is decided nothing can undo it: what fails here is finished by whoever comes next.
      const fields = { error: messageOf(error) }
      env.logger.debug(fields, 'Redis: a group over several shards is left to others to finish')
    }
  }
  const failure = prepared.find((outcome) => outcome.status === 'rejected')
  if (failure !== undefined) {
    // Nobody but this call could have committed it, and it never will.
    await conclude('abort', false)
    throw failed(failure.reason, 'none')
  }
  const replies = prepared.map((outcome) => (outcome as { value: Prepared }).value)
  const obstacle = replies.find(({ state }) => state === 'ABORTED' || state.startsWith('LOCKED'))
  const answers = replies.map(({ applied }) => applied)
  const broken = firstFailed(parts, replies)
  const result = (): ApplyResult => {
    const applied = inOrder(parts, answers)
    const { identity } = replies[0]!
    return broken === undefined
      ? { identity, applied: withheld(applied) }
      : { identity, applied: withheldAll(operations, applied), failed: broken }
  }
  if (obstacle !== undefined || replies.some(({ state }) => state === 'REFUSED')) {
    await conclude('abort')
    if (obstacle !== undefined) return obstacle.state.replace(/^\S+ ?/, '')
    return broken !== undefined && replies.some(({ isOwn }) => isOwn) ? STANDS : result()
  }
  await env.failpoints.hit('redis.groupPrepared')
  const [decision] = await group.decide('commit')
  await env.failpoints.hit('redis.groupDecided')
  await conclude(decision === 'committed' ? 'commit' : 'abort')
  return decision === 'committed' ? result() : ''
}

interface Prepared {
  readonly identity: string
  readonly state: string
  readonly applied: readonly Verdict[]
  /** An operation of the group stands in this shard. */
  readonly isOwn: boolean
  /** By its place among the conditions of the part. */
  readonly failed?: FailedCondition
}

/** The first condition of the group that does not hold. */
function firstFailed(
  parts: readonly Part[],
  replies: readonly Prepared[],
): FailedCondition | undefined {
  const all = replies.flatMap(({ failed }, i) =>
    failed === undefined ? [] : [{ ...failed, index: parts[i]!.conditionPlaces[failed.index]! }],
  )
  return all.sort((a, b) => a.index - b.index)[0]
}

/** A condition has failed in one shard: nothing is applied in the others, a delete of the group neither. */
function withheldAll(operations: readonly Operation[], applied: readonly Verdict[]): Verdict[] {
  // Before the first operation of a key nothing of the group was merged into it.
  const through = new Map<string, Stamp | undefined>()
  operations.forEach(({ key }, i) => {
    if (!through.has(key)) through.set(key, applied[i]!.deletedThrough)
  })
  return operations.map(({ key }) => {
    const deletedThrough = through.get(key)
    return { outcome: 'withheld', ...(deletedThrough !== undefined && { deletedThrough }) }
  })
}

/** A group by its name and by the shard that has its record. */
class SpreadGroup {
  readonly #runner: ScriptRunner
  readonly #name: string
  readonly #home: number

  constructor(runner: ScriptRunner, name: string, home: number) {
    this.#runner = runner
    this.#name = name
    this.#home = home
  }

  async prepare(part: Part, shards: string, unique: boolean): Promise<Prepared> {
    const { shard, operations, conditions, names } = part
    const { identity, reply } = await this.#runner.ask((db) => {
      const numbers = new KeyNumbers()
      const own = operations.flatMap((operation) =>
        argumentsOf(operation, numbers.of(operation.key)),
      )
      for (const condition of conditions) {
        own.push(...argumentsOfCondition(condition, numbers.of(condition.key)))
      }
      const group = [this.#name, String(this.#home), shard === this.#home ? shards : '']
      const sizes = [String(operations.length), String(conditions.length)]
      const args = [...head(db, shard), ...group, unique ? 'u' : 'j', ...sizes]
      const keys = keysOf(db.layout, shard, names)
      return { script: PREPARE, keys, args: [...args, ...own], writes: true }
    })
    const [state, own, failed, ...answers] = reply as readonly string[]
    if (state!.startsWith('DAMAGED ')) throw damagedPart(state!.slice('DAMAGED '.length))
    const isJudged = state === 'PREPARED' || state === 'REFUSED'
    return {
      identity,
      state: state!,
      applied: isJudged ? answersOf(answers, part) : [],
      isOwn: isJudged && own === '+',
      ...(isJudged && failed !== '' && { failed: failedOf(failed!) }),
    }
  }

  /** What was decided, and the shards of the group. */
  async decide(wish: Wish | 'ask' | 'forget'): Promise<readonly [Decision, string]> {
    const { reply } = await this.#runner.ask(({ identity, layout }) => {
      const keys = [layout.meta(this.#home), layout.part(this.#home, 'groups')]
      const args = [identity, this.#name, wish, String(PENDING_S_MAX)]
      return { script: DECIDE, keys, args, writes: true }
    })
    return [reply[0] as Decision, String(reply[1])]
  }

  /** Ends it in all shards. `isAnswered`: nothing of it is on its way any more. */
  async conclude(
    parts: readonly Part[],
    wish: Wish,
    acknowledged: Acknowledged,
    isAnswered: boolean,
  ): Promise<void> {
    if (wish === 'abort') await this.decide('abort')
    const finished = await Promise.allSettled(
      parts.map(async ({ shard, names }) => {
        const { identity, reply } = await this.#finish(shard, names, wish)
        acknowledged(shard, identity, Number(reply[0]))
      }),
    )
    const failure = finished.find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined) throw failure.reason
    // A part that was not answered may still arrive: the record must be there then.
    if (isAnswered) await this.decide('forget')
  }

  /** Ends it for whoever began it. False while it is pending, and not yet for too long. */
  async end(): Promise<boolean> {
    const [decision, shards] = await this.decide('ask')
    if (decision === 'pending') return false
    const { layout } = await this.#runner.open()
    // An aborted group whose part at home never arrived has not said where its other parts are.
    const all = shards === '' ? [...Array(layout.shards).keys()] : shards.split(',').map(Number)
    for (const shard of all) {
      const { reply } = await this.#runner.ask(({ identity, layout: names }) => {
        const keys = [names.meta(shard), names.part(shard, 'intents')]
        return { script: READ_INTENT, keys, args: [identity, this.#name], writes: false }
      })
      const wish = decision === 'committed' ? 'commit' : 'abort'
      if (reply.length > 0) await this.#finish(shard, reply as readonly string[], wish)
    }
    return true
  }

  async #finish(shard: number, names: readonly string[], wish: Wish): Promise<Answer> {
    return await this.#runner.ask((db) => {
      const keys = keysOf(db.layout, shard, names)
      return { script: FINISH, keys, args: [...head(db, shard), this.#name, wish], writes: true }
    })
  }
}

/** Ends the group that holds a key if it can be ended; `lock` is `group home`. */
export async function breakLock(runner: ScriptRunner, lock: string): Promise<void> {
  const [name = '', home = '0'] = lock.split(' ')
  await new SpreadGroup(runner, name, Number(home)).end()
}

/** Ends groups that were left behind in all shards, for lack of anybody who meets their keys. */
export async function sweepGroups(runner: ScriptRunner): Promise<void> {
  const { layout } = await runner.open()
  if (layout.shards === 1) return
  for (let home = 0; home < layout.shards; home++) {
    const { reply } = await runner.ask(({ identity, layout: names }) => {
      const keys = [names.meta(home), names.part(home, 'groups')]
      return { script: LIST_GROUPS, keys, args: [identity, String(PENDING_S_MAX)], writes: false }
    })
    for (let i = 0; i + 1 < reply.length; i += 2) {
      const group = new SpreadGroup(runner, String(reply[i]), home)
      const isEnded = await group.end()
      if (isEnded && Number(reply[i + 1]) > RECORD_S_MAX) await group.decide('forget')
    }
  }
}

function head({ identity, layout }: OpenDatabase, shard: number): readonly string[] {
  return [identity, String(layout.hashPrefixBytes(shard))]
}

/** The parts of a group, in the order of their shards. */
function partsOf(
  operations: readonly Operation[],
  conditions: readonly Condition[],
  layout: OpenDatabase['layout'],
): readonly Part[] {
  const own = groupBy(operations.keys(), (place) => layout.shardOf(operations[place]!.key))
  const judged = groupBy(conditions.keys(), (place) => layout.shardOf(conditions[place]!.key))
  const shards = [...new Set([...own.keys(), ...judged.keys()])].sort((a, b) => a - b)
  return shards.map((shard) => {
    const places = own.get(shard) ?? []
    const conditionPlaces = judged.get(shard) ?? []
    const part = {
      operations: places.map((place) => operations[place]!),
      conditions: conditionPlaces.map((place) => conditions[place]!),
    }
    const named = [...part.operations, ...part.conditions].map(({ key }) => key)
    return { shard, ...part, places, conditionPlaces, names: [...new Set(named)] }
  })
}

function inOrder(parts: readonly Part[], answers: readonly (readonly Verdict[])[]): Verdict[] {
  const applied: Verdict[] = []
  parts.forEach(({ places }, part) => {
    places.forEach((place, i) => (applied[place] = answers[part]![i]!))
  })
  return applied
}

/** One refusal withholds the whole group. */
function withheld(applied: readonly Verdict[]): readonly Verdict[] {
  if (!applied.some(isRefusal)) return applied
  return applied.map((answer) =>
    answer.outcome === 'applied' ? { ...answer, outcome: 'withheld' } : answer,
  )
}

function failed(error: unknown, effect: 'none' | 'unknown'): StorageError {
  const code = isStorageError(error) ? error.code : 'UNAVAILABLE'
  return new StorageError(code, messageOf(error), { effect, operation: 'apply', cause: error })
}
