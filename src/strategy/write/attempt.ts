/*
 * One try to bring a group of operations to its places: asks them, keeps their answers and the books of the
 * ticket, and does what `nextStep` says. Whatever a late place answers only updates the books: applying
 * twice is harmless.
 */
import type { ApplyOptions, ApplyResult } from '../../backend/replica-backend.ts'
import type { Condition, FailedCondition } from '../../core/conditions.ts'
import { Deadline } from '../../core/deadline.ts'
import { isRefusal, type Verdict } from '../../core/decide.ts'
import type { Timer } from '../../core/env.ts'
import {
  isCallersFault,
  isOwnBound,
  isStorageError,
  StorageError,
  unreachable,
} from '../../core/errors.ts'
import type { Item } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { DatabasePlace, PlaceName } from '../../core/places.ts'
import { BehindInLog } from '../../wal/behind-in-log.ts'
import type { Ticket } from '../../wal/ticket.ts'
import { observeKey, type StoreContext } from '../context.ts'
import { hedgeDelayMs } from '../hedge-delay.ts'
import type { AttemptResult } from './attempt-result.ts'
import { AttemptState, LOG_OUT, type FailCode } from './attempt-state.ts'
import { bringKnown } from './bring-known.ts'
import { lackingClears } from './lacking-clears.ts'
import { isDecided, nextStep, type Time } from './next-step.ts'
import { removedAmong } from './removed-among.ts'
import { Repeats, standsElsewhere } from './repeats.ts'
import type { WritePolicy } from './write-policy.ts'
import type { ResolvedWriteConfig, WriteGroup } from './write-port.ts'

export class Attempt {
  readonly #context: StoreContext
  readonly #config: ResolvedWriteConfig
  readonly #group: WriteGroup
  readonly #ticket: Ticket
  readonly #state: AttemptState
  readonly #deadline: Deadline
  #leaveDeadline = (): void => {}
  /** The hedge delay, then the pause before the primary is asked whether it lives. */
  #timer: Timer | undefined
  #operations: readonly Operation[]
  /** A call of the primary failed, but it lives: it was asked once more. */
  #askedAgain = false
  /** Failed, while some place had yet to answer. */
  #undecided = false
  readonly #repeats: Repeats
  #resolve: ((result: AttemptResult) => void) | undefined

  constructor(
    context: StoreContext,
    policy: WritePolicy,
    config: ResolvedWriteConfig,
    group: WriteGroup,
  ) {
    this.#context = context
    this.#config = config
    this.#group = group
    this.#operations = group.operations
    this.#repeats = new Repeats(group.unique ? group.operations : [], group.repeat?.earlier)
    this.#deadline = new Deadline(context.env, config.timeoutMs)
    this.#ticket = context.log.issue(group.operations)
    this.#state = new AttemptState(context, policy, config, group)
  }

  run(): Promise<AttemptResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      const { log } = this.#context
      if (log.isRequired() && !log.isUp()) {
        // Before any place is asked, so that nothing is known to have happened.
        this.#fail('UNAVAILABLE', LOG_OUT)
        return
      }
      this.#arm()
      this.#step()
    })
  }

  #arm(): void {
    // Before the log is told: one that is late then ends the attempt, and there is no next one. That would have
    // one entry with it in a shared log, and lose it when this one's late answer is void.
    this.#leaveDeadline = this.#deadline.onEnd(() => this.#pass('up'))
    const { hedge, timeoutMs } = this.#config
    const delayMs = hedge.enabled ? hedgeDelayMs(this.#context, 'primary', hedge) : timeoutMs
    if (delayMs >= timeoutMs) return
    this.#timer = this.#context.env.setTimer(delayMs, () => {
      if (this.#isForOne && !this.#isDecided()) void this.#watchPrimary(delayMs)
      this.#pass('overdue')
    })
  }

  #pass(time: Time): void {
    this.#state.time = time
    this.#step()
  }

  /**
   * A late primary may yet decide, so that no other place may; one that answers nobody does not hold
   * up the save for long.
   */
  async #watchPrimary(pauseMs: number): Promise<void> {
    const { env, monitor } = this.#context
    const isAlive = await monitor.isPrimaryAlive()
    if (this.#isSettled() || this.#state.places.primary !== 'sent') return
    if (isAlive) {
      this.#timer = env.setTimer(pauseMs, () => void this.#watchPrimary(pauseMs))
      return
    }
    this.#state.primarySilent = true
    this.#step()
  }

  /** One database decides before any other place has the group. */
  get #isForOne(): boolean {
    return this.#group.unique || this.#group.guard !== undefined
  }

  #isDecided(): boolean {
    return isDecided(this.#state.places)
  }

  // ---- sending

  #send(place: PlaceName): void {
    if (place === 'wal') {
      this.#state.places.wal = 'sent'
      void this.#sendToLog()
      return
    }
    if (place === 'primary' && !this.#context.places.primary.isHealthy()) {
      this.#state.places.primary = 'failed'
      this.#state.primarySkipped = true
      return
    }
    this.#sendNow(place)
  }

  #sendNow(place: DatabasePlace): void {
    if (place === 'primary') this.#state.primarySkipped = false
    this.#state.places[place] = 'sent'
    this.#ticket.sent(place)
    void this.#sendTo(place)
  }

  async #sendTo(place: DatabasePlace): Promise<void> {
    const context = this.#context
    const lacking = place === 'backup' && this.#state.places.primary !== 'done'
    // Sent beside a primary that has yet to answer, the backup is told later, should it be needed.
    const hinted =
      lacking && !(this.#state.places.primary === 'sent' && this.#state.time === 'early')
    if (hinted) this.#raiseHint()
    const sent = this.#operations
    // What stands in one place is merged in the other one, which is then asked whether it was removed there.
    const repeated = this.#repeats.among(sent)
    const { guard, mergeOnly = false } = this.#group
    // What one database has judged is merged in the other one.
    const conditions = this.#isDecided() ? undefined : guard?.conditions
    const judges =
      guard === undefined ? !mergeOnly && !this.#repeats.isAny : conditions !== undefined
    const startedAt = context.env.monotonic()
    try {
      if (conditions !== undefined && !(await this.#bringKnown(place, conditions))) return
      const result = await this.#applied(place, sent, {
        // The second place too: what it had before, from a process that was cut off, stands in the way.
        decide: judges,
        unique: judges && this.#group.unique && this.#config.enableIdempotency,
        ...(conditions !== undefined && { conditions }),
        ...(hinted && { hint: context.clock.writerId }),
      })
      const removed = await removedAmong(context.places[place], repeated, this.#limits)
      context.monitor.sawIdentity(place, result.identity, startedAt)
      if (hinted) this.#state.hint = 'done'
      // Late: nobody waits for this answer any more, but what is cached is older than the place.
      if (this.#isSettled()) await context.cache?.changed(this.#operations.map(({ key }) => key))
      await context.env.failpoints.hit(
        place === 'primary' ? 'write.afterPrimary' : 'write.afterBackup',
      )
      this.#answered(place, sent, result, removed)
    } catch (error) {
      // The ticket stays marked: the backup may have the hint all the same.
      if (hinted) this.#state.hint = 'none'
      if (place === 'primary' && (await this.#mayAskAgain(error))) {
        await this.#sendTo(place)
        return
      }
      this.#failed(place, error)
    }
    this.#step()
  }

  /** False when what the place lacks cannot be read: another place would not know more. */
  async #bringKnown(place: DatabasePlace, conditions: readonly Condition[]): Promise<boolean> {
    try {
      await bringKnown(this.#context, place, conditions, this.#limits)
      return true
    } catch (error) {
      if (isStorageError(error) && error.place === place) throw error
      this.#state.failed(place, error)
      this.#ticket.missed(place)
      if (!this.#isSettled()) this.#fail('UNAVAILABLE', `what the ${place} lacks cannot be read`)
      return false
    }
  }

  /** A call that is made late has its own time: to end it soon would be held against the place. */
  get #limits(): { readonly timeoutMs: number; readonly deadline?: Deadline } {
    const { timeoutMs } = this.#config
    const isLate = this.#deadline.leftMs < timeoutMs / 2
    return isLate ? { timeoutMs } : { timeoutMs, deadline: this.#deadline }
  }

  /** What the place says once it has heard of the clears that its answer lacked. */
  async #applied(
    place: DatabasePlace,
    sent: readonly Operation[],
    options: ApplyOptions,
  ): Promise<ApplyResult> {
    const { places, tombstones } = this.#context
    const result = await places[place].apply(sent, { ...options, ...this.#limits })
    const clears = lackingClears(tombstones, sent, result.applied)
    if (clears.length > 0) {
      await places[place].apply(clears, this.#limits)
      return await places[place].apply(sent, { ...options, ...this.#limits })
    }
    // It counts as a copy of what is acknowledged, which stands further on than what it had.
    if (this.#repeats.isSplit(sent, result.applied)) await places[place].apply(sent, this.#limits)
    return result
  }

  /** A call that failed does not say that the primary is out: while it lives, it decides. */
  async #mayAskAgain(error: unknown): Promise<boolean> {
    if (!this.#isForOne || this.#askedAgain || this.#isDecided()) return false
    if (this.#isSettled() || isCallersFault(error)) return false
    if (isStorageError(error, 'UNSUPPORTED')) return false
    if (!(await this.#context.monitor.isPrimaryAlive())) return false
    this.#askedAgain = true
    if (this.#isSettled() || this.#isDecided()) return false
    // What the failed call may have done is not forgotten.
    this.#state.failed('primary', error)
    this.#state.places.primary = 'sent'
    return true
  }

  async #sendToLog(): Promise<void> {
    const { env } = this.#context
    try {
      const fresh = this.#isFresh()
      this.#repeats.logged(this.#operations)
      await this.#deadline.wait(this.#ticket.log(fresh), () =>
        Promise.reject(this.#deadline.error('wal append', { place: 'wal' })),
      )
      await env.failpoints.hit('write.afterWal')
      this.#state.places.wal = 'done'
    } catch (error) {
      if (error instanceof BehindInLog) this.#behindInLog(error)
      else this.#failed('wal', error)
    }
    this.#step()
  }

  /** What a database has decided stays where that database put it. */
  #isFresh(): boolean {
    const { unique, repeat, guard, mergeOnly = false } = this.#group
    if (guard !== undefined || repeat !== undefined) return false
    if (mergeOnly || this.#repeats.isAny) return false
    return !unique || !this.#isDecided()
  }

  /** Another process was first in the log: the group is stamped again, unless it is acknowledged. */
  #behindInLog({ stamps, message }: BehindInLog): void {
    this.#state.failed('wal', new StorageError('UNAVAILABLE', message, { place: 'wal' }))
    if (this.#isSettled()) return
    this.#ticket.void()
    const sent = this.#group.operations
    const applied = sent.map(({ key }): Verdict => {
      const stamp = stamps.get(key)
      return stamp === undefined ? { outcome: 'withheld' } : { outcome: 'behind', stamp }
    })
    this.#settle({ kind: 'refused', sent, applied, effect: this.#state.effect() })
  }

  #raiseHint(): void {
    this.#ticket.hinted = true
    this.#state.hint = 'sent'
  }

  /** The backup has the group, the primary does not, and the backup was not told yet. */
  async #sendHint(): Promise<void> {
    this.#raiseHint()
    const { places, clock } = this.#context
    try {
      await places.backup.apply([], { hint: clock.writerId, ...this.#limits })
      this.#state.hint = 'done'
    } catch (error) {
      // Without the hint other processes would take the primary for complete: it does not count.
      this.#state.hint = 'none'
      this.#failed('backup', error)
    }
    this.#step()
  }

  // ---- answers

  #answered(
    place: DatabasePlace,
    sent: readonly Operation[],
    result: ApplyResult,
    removed: ReadonlyMap<string, Item>,
  ): void {
    const context = this.#context
    const applied = this.#repeats.judged(sent, result.applied, removed)
    sent.forEach(({ key }, i) => observeKey(context, key, applied[i]?.deletedThrough))
    if (result.failed !== undefined) {
      this.#conditionFailed(place, sent, applied, result.failed)
      return
    }
    this.#state.places[place] = 'done'
    const refused = applied.some(isRefusal)
    const repeats = refused ? undefined : this.#repeats.answered(sent, applied)
    // This place lacked ids that stand elsewhere in the other one: that one gets ours as well.
    if (repeats !== undefined) this.#context.log.owe(place, repeats.spread)
    if (this.#isSettled()) {
      if (repeats === undefined) this.#lateRefusal(place, sent, applied)
      // Nor has a place what was acknowledged that took an id which stands elsewhere.
      else if (repeats.spread.length > 0 || standsElsewhere(sent, applied).length > 0) {
        this.#ticket.missed(place)
      } else this.#ticket.applied(place)
      return
    }
    if (repeats === undefined) {
      // The place itself refused nothing, but a repeat in the group is taken: it has the others.
      const tookRest = !result.applied.some(isRefusal)
      this.#refused(place, sent, applied, tookRest)
      return
    }
    this.#state.taken = true
    if (repeats.isSplit) this.#ticket.missed(place)
    else this.#ticket.applied(place)
    if (repeats.operations === undefined) return
    this.#operations = repeats.operations
    if (!this.#ticket.isLogged()) this.#ticket.operations = this.#operations
  }

  #refused(
    place: DatabasePlace,
    sent: readonly Operation[],
    applied: readonly Verdict[],
    tookRest: boolean,
  ): void {
    const took = tookRest ? sent.filter((_, i) => applied[i]!.outcome === 'applied') : []
    this.#state.taken ||= took.length > 0
    this.#state.places[place] = 'failed'
    if (took.length === 0) this.#ticket.void()
    // Another place may have taken it, before it had heard of what stands in the way.
    this.#settle({ kind: 'refused', sent, applied, effect: this.#state.effect() })
    if (took.length > 0) this.#spread(place, took)
  }

  #conditionFailed(
    place: DatabasePlace,
    sent: readonly Operation[],
    applied: readonly Verdict[],
    failed: FailedCondition,
  ): void {
    this.#state.places[place] = 'failed'
    if (this.#isSettled()) {
      // Acknowledged by the other database, which could not see this one: it is never withdrawn.
      this.#ticket.missed(place)
      return
    }
    this.#ticket.void()
    this.#settle({ kind: 'refused', sent, applied, failed, effect: this.#state.effect() })
  }

  /** What one place has of a group that is refused is brought to the others: they must not differ. */
  #spread(place: DatabasePlace, took: readonly Operation[]): void {
    if (!this.#ticket.isLogged()) this.#ticket.operations = took
    this.#ticket.applied(place)
    this.#ticket.acknowledge()
  }

  #lateRefusal(
    place: DatabasePlace,
    sent: readonly Operation[],
    applied: readonly Verdict[],
  ): void {
    // An acknowledged group is never withdrawn: it is merged, as far as the place can take it.
    this.#state.places[place] = 'failed'
    this.#ticket.missed(place)
    applied.forEach((answer, i) => {
      if (answer.outcome !== 'conflict') return
      this.#context.notify({
        kind: 'conflict',
        key: sent[i]!.key,
        id: answer.item.id,
      })
    })
  }

  #failed(place: PlaceName, error: unknown): void {
    this.#state.failed(place, error)
    if (place !== 'wal') this.#ticket.missed(place)
    if (this.#isSettled()) return
    if (place === 'primary' && this.#isBusyDecider(error)) {
      this.#fail('OVERLOADED', 'the primary decides, and is busy')
    } else if (this.#state.isHopeless(error)) {
      this.#ticket.void()
      this.#settle({ kind: 'failed', error: this.#state.errors.at(-1)! })
    }
  }

  /** It lives and decides for others meanwhile: so no other place may, and none was asked yet. */
  #isBusyDecider(error: unknown): boolean {
    return this.#askedAgain && this.#state.places.backup === 'idle' && isOwnBound(error)
  }

  // ---- deciding

  #step(): void {
    if (this.#isSettled() && this.#undecided) this.#decideLate()
    // Each command changes what is known, and each of them comes once for a place.
    while (!this.#isSettled()) {
      const command = nextStep(this.#state)
      switch (command.kind) {
        case 'send':
          this.#send(command.place)
          break
        case 'send-skipped':
          this.#sendNow('primary')
          break
        case 'hint':
          void this.#sendHint()
          break
        case 'wait':
          return
        case 'acknowledge':
          this.#acknowledge(command.copies)
          break
        case 'fail':
          this.#fail(...this.#state.endOf(command.why, this.#config.timeoutMs))
          break
        default:
          unreachable(command)
      }
    }
  }

  #acknowledge(copies: readonly PlaceName[]): void {
    this.#settle({ kind: 'acknowledged', operations: this.#operations, copies })
    this.#ticket.acknowledge()
    if (copies.length < 2 && this.#operations.length > 0)
      this.#context.notify({ kind: 'degraded-write', copies })
  }

  #fail(code: FailCode, why: string): void {
    const causes = this.#state.errors.map(({ message }) => message).join('; ')
    const error = new StorageError(code, causes === '' ? why : `${why}: ${causes}`, {
      effect: this.#state.effect(),
      operation: 'write',
      ...(this.#state.errors.length > 0 && { cause: new AggregateError(this.#state.errors) }),
    })
    this.#settle({ kind: 'failed', error })
    this.#undecided = true
    this.#decideLate()
  }

  /** What some place has, or turns out to have, is brought to the others: they must not differ. */
  #decideLate(): void {
    if (this.#state.isAnywhere()) this.#ticket.acknowledge()
    else if (this.#state.isUnderWay()) return
    else this.#ticket.void()
    this.#undecided = false
  }

  #isSettled(): boolean {
    return this.#resolve === undefined
  }

  #settle(result: AttemptResult): void {
    const resolve = this.#resolve
    this.#resolve = undefined
    this.#leaveDeadline()
    this.#timer?.cancel()
    resolve?.(result)
  }
}
