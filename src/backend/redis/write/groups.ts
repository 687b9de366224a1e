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
import { isRefusal, type Applied } from '../../../core/decide.ts'
import { effectOf, isStorageError, messageOf, StorageError } from '../../../core/errors.ts'
import type { Operation } from '../../../core/operation.ts'
import type { BatchCall } from '../../batcher.ts'
import type { ApplyOptions, ApplyResult } from '../../replica-backend.ts'
import { answersOf, applyBatch, KeyNumbers, keysOf, raiseCursors, raiseHints } from './batch.ts'
import type { Acknowledged } from './batch.ts'
import type { ScriptCall } from '../connection/caller.ts'
import { withDeadline } from '../../../core/time.ts'
import { checkSignal } from '../../check-signal.ts'
import { argumentsOf } from '../keyspace/record.ts'
import { damagedPart } from '../connection/redis-error.ts'
import type { OpenDatabase } from '../keyspace/schema.ts'
import { DECIDE } from '../scripts/decide-2.ts'
import { FINISH } from '../scripts/finish-n.ts'
import { FORGET } from '../scripts/forget-2.ts'
import { LIST_GROUPS } from '../scripts/list-groups-2.ts'
import { PREPARE } from '../scripts/prepare-n.ts'
import { READ_INTENT } from '../scripts/read-intent-2.ts'
import type { RedisSession } from '../keyspace/session.ts'

/** A group that is pending for longer is aborted by whoever meets it. Seconds. */
const PENDING_S_MAX = 5
/** Records older than this are cleaned up at connect; no message is under way for so long. Seconds. */
const RECORD_S_MAX = 600

type Decision = 'committed' | 'aborted' | 'pending'

/** The part of a group that is in one shard. */
interface Part {
  readonly shard: number
  readonly operations: readonly Operation[]
  /** Where they stand in the group. */
  readonly places: readonly number[]
  readonly names: readonly string[]
}

/** Applies a group over several shards, whole or not at all. */
export async function applySpread(
  env: Env,
  session: RedisSession,
  operations: readonly Operation[],
  options: ApplyOptions,
  timeoutMs: number,
  acknowledged: Acknowledged,
): Promise<ApplyResult> {
  const limitMs = options.timeoutMs ?? timeoutMs
  const group = new SpreadGroup(env, session, operations, options, acknowledged)
  const { signal } = options
  checkSignal(signal)
  const context = { effect: 'unknown', operation: 'apply', signal } as const
  return await withDeadline(env, limitMs, 'Redis', group.apply(limitMs), context)
}

class SpreadGroup {
  readonly #env: Env
  readonly #session: RedisSession
  readonly #operations: readonly Operation[]
  readonly #options: ApplyOptions
  readonly #acknowledged: Acknowledged

  constructor(
    env: Env,
    session: RedisSession,
    operations: readonly Operation[],
    options: ApplyOptions,
    acknowledged: Acknowledged,
  ) {
    this.#env = env
    this.#session = session
    this.#operations = operations
    this.#options = options
    this.#acknowledged = acknowledged
  }

  async apply(limitMs: number): Promise<ApplyResult> {
    const { hint, cursor, decide = false, unique = false } = this.#options
    const marks: BatchCall = {
      operations: [],
      decide,
      unique,
      ...(hint !== undefined && { hint }),
      ...(cursor !== undefined && { cursor }),
    }
    await raiseHints(this.#session, [marks], this.#acknowledged)
    const result = decide ? await this.#judged(limitMs) : await this.#merged()
    await raiseCursors(this.#session, [marks])
    return result
  }

  async #merged(): Promise<ApplyResult> {
    const { identity, layout } = await this.#session.open()
    const parts = partsOf(this.#operations, layout)
    const outcomes = await Promise.allSettled(
      parts.map(async ({ shard, operations }) => {
        const call: BatchCall = { operations, decide: false, unique: false }
        const results = await applyBatch(this.#session, shard, [call], this.#acknowledged)
        const [result] = results
        if (isStorageError(result)) throw result
        return result!.applied
      }),
    )
    const failures = outcomes.flatMap((outcome): unknown[] =>
      outcome.status === 'rejected' ? [outcome.reason] : [],
    )
    if (failures.length === 0) {
      const answers = outcomes.map((outcome) => (outcome as { value: readonly Applied[] }).value)
      return { identity, applied: inOrder(parts, answers) }
    }
    const isNone = failures.length === parts.length && failures.every((e) => effectOf(e) === 'none')
    throw failed(failures[0], isNone ? 'none' : 'unknown')
  }

  async #judged(limitMs: number): Promise<ApplyResult> {
    const deadline = this.#env.monotonic() + limitMs
    while (this.#env.monotonic() < deadline) {
      const outcome = await this.#attempt()
      if (typeof outcome !== 'string') return outcome
      if (outcome !== '') await this.#session.unlock(outcome)
    }
    throw new StorageError('TIMEOUT', 'Redis: other groups held the keys of this one for too long')
  }

  /** The result, or the lock in the way, or nothing when somebody else has aborted this attempt. */
  async #attempt(): Promise<ApplyResult | string> {
    const { layout } = await this.#session.open()
    const parts = partsOf(this.#operations, layout)
    const home = parts[0]!.shard
    const name = Buffer.from(this.#env.randomBytes(12)).toString('hex')
    const shards = parts.map(({ shard }) => shard).join()
    const prepared = await Promise.allSettled(
      parts.map(async (part) => await this.#prepare(part, name, home, shards)),
    )
    const failure = prepared.find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined) {
      // Nobody but this call could have committed it, and it never will.
      await this.#abort(parts, name, home, false)
      throw failed(failure.reason, 'none')
    }
    const replies = prepared.map((outcome) => (outcome as { value: Prepared }).value)
    const obstacle = replies.find(({ state }) => state === 'ABORTED' || state.startsWith('LOCKED'))
    const isRefused = replies.some(({ state }) => state === 'REFUSED')
    if (obstacle !== undefined || isRefused) {
      await this.#abort(parts, name, home, true)
      if (obstacle !== undefined) return obstacle.state.replace(/^\S+ ?/, '')
      const answers = replies.map(({ applied }) => applied)
      return { identity: replies[0]!.identity, applied: withheld(inOrder(parts, answers)) }
    }
    await this.#env.failpoints.hit('redis.groupPrepared')
    const [decision] = await decide(this.#session, name, home, 'commit')
    await this.#env.failpoints.hit('redis.groupDecided')
    if (decision !== 'committed') {
      await this.#abort(parts, name, home, true)
      return ''
    }
    await this.#commit(parts, name, home)
    const answers = replies.map(({ applied }) => applied)
    return { identity: replies[0]!.identity, applied: inOrder(parts, answers) }
  }

  async #prepare(part: Part, name: string, home: number, shards: string): Promise<Prepared> {
    const { shard, operations, names } = part
    const { identity, reply } = await this.#session.ask((db) => {
      const numbers = new KeyNumbers()
      const own = operations.flatMap((operation) =>
        argumentsOf(operation, numbers.of(operation.key)),
      )
      const flags = this.#options.unique === true ? 'u' : 'j'
      const group = [name, String(home), shard === home ? shards : '']
      const args = [...head(db, shard), ...group, flags, String(operations.length), ...own]
      return { script: PREPARE, keys: keysOf(db.layout, shard, names), args, writes: true }
    })
    const [state, ...answers] = reply as readonly string[]
    if (state!.startsWith('DAMAGED ')) throw damagedPart(state!.slice('DAMAGED '.length))
    const isJudged = state === 'PREPARED' || state === 'REFUSED'
    return { identity, state: state!, applied: isJudged ? answersOf(answers, part) : [] }
  }

  /** Once it is decided nothing can undo it: what fails here is finished by whoever comes next. */
  async #commit(parts: readonly Part[], name: string, home: number): Promise<void> {
    const finished = await Promise.allSettled(
      parts.map(async ({ shard, names }) => {
        const { identity, reply } = await finish(this.#session, shard, names, name, 'commit')
        this.#acknowledged(shard, identity, Number(reply[0]))
      }),
    )
    await this.#forget(finished, name, home)
  }

  async #abort(
    parts: readonly Part[],
    name: string,
    home: number,
    isAnswered: boolean,
  ): Promise<void> {
    try {
      await decide(this.#session, name, home, 'abort')
    } catch (error) {
      this.#left(error)
      return
    }
    const finished = await Promise.allSettled(
      parts.map(async ({ shard, names }) => {
        await finish(this.#session, shard, names, name, 'abort')
      }),
    )
    // A part that was not answered may still arrive: the record must be there then.
    if (isAnswered) await this.#forget(finished, name, home)
  }

  async #forget(
    finished: readonly PromiseSettledResult<unknown>[],
    name: string,
    home: number,
  ): Promise<void> {
    const failure = finished.find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined) return this.#left(failure.reason)
    try {
      await forget(this.#session, name, home)
    } catch (error) {
      this.#left(error)
    }
  }

  #left(error: unknown): void {
    const fields = { error: messageOf(error) }
    this.#env.logger.debug(fields, 'Redis: a group over several shards is left to others to finish')
  }
}

interface Prepared {
  readonly identity: string
  readonly state: string
  readonly applied: readonly Applied[]
}

/** Ends the group that holds a key if it can be ended; `lock` is `group home`. */
export async function breakLock(session: RedisSession, lock: string): Promise<void> {
  const [name = '', home = '0'] = lock.split(' ')
  await end(session, name, Number(home))
}

/** Ends groups that were left behind in all shards, for lack of anybody who meets their keys. */
export async function sweepGroups(session: RedisSession): Promise<void> {
  const { layout } = await session.open()
  if (layout.shards === 1) return
  for (let home = 0; home < layout.shards; home++) {
    const { reply } = await session.ask(({ identity, layout: names }) => {
      const keys = [names.meta(home), names.part(home, 'groups')]
      return { script: LIST_GROUPS, keys, args: [identity, String(PENDING_S_MAX)], writes: false }
    })
    for (let i = 0; i + 1 < reply.length; i += 2) {
      const name = String(reply[i])
      const isEnded = await end(session, name, home)
      if (isEnded && Number(reply[i + 1]) > RECORD_S_MAX) await forget(session, name, home)
    }
  }
}

/** False while the group is pending, and not yet for too long. */
async function end(session: RedisSession, name: string, home: number): Promise<boolean> {
  const [decision, shards] = await decide(session, name, home, 'ask')
  if (decision === 'pending') return false
  const wish = decision === 'committed' ? 'commit' : 'abort'
  const { layout } = await session.open()
  // An aborted group whose part at home never arrived has not said where its other parts are.
  const all = shards === '' ? [...Array(layout.shards).keys()] : shards.split(',').map(Number)
  for (const shard of all) {
    const { reply } = await session.ask(({ identity, layout: names }) => {
      const keys = [names.meta(shard), names.part(shard, 'intents')]
      return { script: READ_INTENT, keys, args: [identity, name], writes: false }
    })
    const names = reply as readonly string[]
    if (names.length > 0) await finish(session, shard, names, name, wish)
  }
  return true
}

async function decide(
  session: RedisSession,
  name: string,
  home: number,
  wish: 'commit' | 'abort' | 'ask',
): Promise<readonly [Decision, string]> {
  const { reply } = await session.ask(({ identity, layout }) => {
    const keys = [layout.meta(home), layout.part(home, 'groups')]
    const args = [identity, name, wish, String(PENDING_S_MAX)]
    return { script: DECIDE, keys, args, writes: true }
  })
  return [reply[0] as Decision, String(reply[1])]
}

async function finish(
  session: RedisSession,
  shard: number,
  names: readonly string[],
  name: string,
  wish: 'commit' | 'abort',
): ReturnType<RedisSession['ask']> {
  return await session.ask((db): ScriptCall => {
    const keys = keysOf(db.layout, shard, names)
    return { script: FINISH, keys, args: [...head(db, shard), name, wish], writes: true }
  })
}

async function forget(session: RedisSession, name: string, home: number): Promise<void> {
  await session.ask(({ identity, layout }) => {
    const keys = [layout.meta(home), layout.part(home, 'groups')]
    return { script: FORGET, keys, args: [identity, name], writes: true }
  })
}

function head({ identity, layout }: OpenDatabase, shard: number): readonly string[] {
  return [identity, String(layout.hashPrefixBytes(shard))]
}

/** The parts of a group, in the order of their shards. */
function partsOf(
  operations: readonly Operation[],
  layout: OpenDatabase['layout'],
): readonly Part[] {
  const places = new Map<number, number[]>()
  operations.forEach(({ key }, place) => {
    const shard = layout.shardOf(key)
    const list = places.get(shard)
    if (list === undefined) places.set(shard, [place])
    else list.push(place)
  })
  return [...places]
    .sort(([a], [b]) => a - b)
    .map(([shard, list]) => {
      const own = list.map((place) => operations[place]!)
      const names = [...new Set(own.map(({ key }) => key))]
      return { shard, operations: own, places: list, names }
    })
}

function inOrder(parts: readonly Part[], answers: readonly (readonly Applied[])[]): Applied[] {
  const applied: Applied[] = []
  parts.forEach(({ places }, part) => {
    places.forEach((place, i) => (applied[place] = answers[part]![i]!))
  })
  return applied
}

/** One refusal withholds the whole group. */
function withheld(applied: readonly Applied[]): readonly Applied[] {
  if (!applied.some(isRefusal)) return applied
  return applied.map((answer) =>
    answer.outcome === 'applied' ? { ...answer, outcome: 'withheld' } : answer,
  )
}

function failed(error: unknown, effect: 'none' | 'unknown'): StorageError {
  const code = isStorageError(error) ? error.code : 'UNAVAILABLE'
  return new StorageError(code, messageOf(error), { effect, operation: 'apply', cause: error })
}
