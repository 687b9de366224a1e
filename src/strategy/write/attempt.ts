/*
 * One try to bring a group of operations to its places.
 *
 * Each of primary, backup and wal is `idle` (not asked), `sent`, `done` or `failed`. Every answer
 * leads to `#step`, which settles the attempt, sends to a further place, or goes on waiting:
 *
 *   enough places have it            settle: acknowledged
 *   ids must be new                  the log takes the group as the serving store decided it
 *   a place failed, or the hedge     the next place is asked; the backup is told with the same
 *   delay has passed                 call, by a hint, that the primary lacks the group
 *   everybody has answered           acknowledged with what there is, or unavailable
 *
 * Whatever a late place answers only updates the books of the ticket: applying twice is harmless.
 */
import type { ApplyOptions, ApplyResult } from '../../backend/replica-backend.ts'
import { isRefusal, type Applied } from '../../core/decide.ts'
import type { Timer } from '../../core/env.ts'
import { isCallersFault, isOwnBound, StorageError } from '../../core/errors.ts'
import {
  DATABASE_PLACES,
  type DatabasePlace,
  type Operation,
  type PlaceName,
} from '../../core/operation.ts'
import { withDeadline } from '../../core/time.ts'
import { BehindInLog } from '../../wal/behind-in-log.ts'
import type { Ticket } from '../../wal/ticket.ts'
import { observeKey, type StoreContext } from '../context.ts'
import { hedgeDelayMs } from '../hedge-delay.ts'
import type { AttemptResult } from './attempt-result.ts'
import { AttemptState, PLACES } from './attempt-state.ts'
import { lackingClears } from './lacking-clears.ts'
import { Repeats, standsElsewhere } from './repeats.ts'
import type { WritePolicy } from './write-policy.ts'
import type { ResolvedWriteConfig, WriteGroup } from './write-port.ts'

export class Attempt {
  readonly #context: StoreContext
  readonly #policy: WritePolicy
  readonly #config: ResolvedWriteConfig
  readonly #group: WriteGroup
  readonly #ticket: Ticket
  readonly #isDelete: boolean
  readonly #state: AttemptState
  /** The next moment that matters: the hedge delay, then the end of the attempt's time. */
  #timer: Timer | undefined
  #pingTimer: Timer | undefined
  #operations: readonly Operation[]
  #skipped: DatabasePlace | undefined
  #overdue = false
  /** It decides whether ids are new, and answers nobody. */
  #primarySilent = false
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
    this.#policy = policy
    this.#config = config
    this.#group = group
    this.#operations = group.operations
    this.#repeats = new Repeats(group.unique ? group.operations : [], group.repeat?.earlier)
    this.#isDelete = group.operations.some(({ kind }) => kind === 'delete')
    this.#ticket = context.log.issue(group.operations)
    this.#state = new AttemptState(context, config.minCopies)
    if (!context.log.hasLog()) this.#state.of.wal = 'failed'
    if (context.places.backup.isAbsent) this.#state.of.backup = 'failed'
  }

  run(): Promise<AttemptResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      const { log } = this.#context
      if (log.isRequired() && !log.isUp()) {
        // Before any place is asked, so that nothing is known to have happened.
        this.#fail('UNAVAILABLE', 'the log is out, and saves are to be refused without it')
        return
      }
      this.#arm()
      for (const place of this.#firstPlaces()) this.#send(place)
      this.#step()
    })
  }

  #firstPlaces(): readonly PlaceName[] {
    if (this.#isDelete) return PLACES
    // The serving store decides whether the ids are new; the others take what it decided. Asked at
    // the same time, a backup that lacks the first save would take other content for a new message.
    if (this.#group.unique) return ['primary']
    return this.#policy.atOnce
  }

  #arm(): void {
    const { env } = this.#context
    const { hedge, timeoutMs } = this.#config
    const delayMs = hedge.enabled ? hedgeDelayMs(this.#context, 'primary', hedge) : timeoutMs
    if (delayMs >= timeoutMs) {
      this.#timer = env.setTimer(timeoutMs, () => this.#giveUp())
      return
    }
    this.#timer = env.setTimer(delayMs, () => {
      this.#timer = env.setTimer(timeoutMs - delayMs, () => this.#giveUp())
      this.#overdue = true
      if (this.#group.unique && !this.#isDecided()) void this.#watchPrimary(delayMs)
      this.#step()
    })
  }

  /**
   * A late primary may yet decide, so that no other place may; one that answers nobody does not hold
   * up the save for long.
   */
  async #watchPrimary(pauseMs: number): Promise<void> {
    const { env, monitor } = this.#context
    const isAlive = await monitor.isPrimaryAlive()
    if (this.#isSettled() || this.#state.of.primary !== 'sent') return
    if (isAlive) {
      this.#pingTimer = env.setTimer(pauseMs, () => void this.#watchPrimary(pauseMs))
      return
    }
    this.#primarySilent = true
    this.#step()
  }

  #isDecided(): boolean {
    return this.#state.of.primary === 'done' || this.#state.of.backup === 'done'
  }

  // ---- sending

  #send(place: PlaceName): void {
    if (this.#state.of[place] !== 'idle' || this.#isSettled()) return
    if (place === 'wal') {
      this.#state.of.wal = 'sent'
      void this.#sendToLog()
      return
    }
    if (
      place === 'primary' &&
      this.#skipped !== 'primary' &&
      !this.#context.places.primary.isHealthy()
    ) {
      this.#state.of.primary = 'failed'
      this.#skipped = 'primary'
      return
    }
    this.#state.of[place] = 'sent'
    this.#ticket.sent(place)
    void this.#sendTo(place)
  }

  async #sendTo(place: DatabasePlace): Promise<void> {
    const context = this.#context
    const lacking = place === 'backup' && this.#state.of.primary !== 'done'
    // Sent beside a primary that has yet to answer, the backup is told later, should it be needed.
    const hinted = lacking && !(this.#state.of.primary === 'sent' && !this.#overdue)
    if (hinted) this.#raiseHint()
    const sent = this.#operations
    const isFirst = place === 'primary' || lacking
    const startedAt = context.env.monotonic()
    try {
      const result = await this.#applied(place, sent, {
        // The backup too: what it had before, from a process that was cut off, stands in the way.
        decide: this.#group.mergeOnly !== true && (isFirst || !this.#repeats.isAny),
        unique: isFirst && this.#group.unique && this.#config.enableIdempotency,
        timeoutMs: this.#config.timeoutMs,
        ...(hinted && { hint: context.clock.writerId }),
      })
      context.monitor.sawIdentity(place, result.identity, startedAt)
      if (hinted) this.#state.hint = 'done'
      // Late: nobody waits for this answer any more, but what is cached is older than the place.
      if (this.#isSettled()) await context.cache?.changed(this.#operations.map(({ key }) => key))
      await context.env.failpoints.hit(
        place === 'primary' ? 'write.afterPrimary' : 'write.afterBackup',
      )
      this.#answered(place, sent, result)
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

  /** What the place says once it has heard of the clears that its answer lacked. */
  async #applied(
    place: DatabasePlace,
    sent: readonly Operation[],
    options: ApplyOptions & { readonly timeoutMs: number },
  ): Promise<ApplyResult> {
    const { places, tombstones } = this.#context
    const { timeoutMs } = options
    const result = await places[place].apply(sent, options)
    const clears = lackingClears(tombstones, sent, result.applied)
    if (clears.length > 0) {
      await places[place].apply(clears, { timeoutMs })
      return await places[place].apply(sent, options)
    }
    // It counts as a copy of what is acknowledged, which stands further on than what it had.
    if (this.#repeats.isSplit(sent, result.applied)) await places[place].apply(sent, { timeoutMs })
    return result
  }

  /** A call that failed does not say that the primary is out: while it lives, it decides. */
  async #mayAskAgain(error: unknown): Promise<boolean> {
    if (!this.#group.unique || this.#askedAgain || this.#isDecided()) return false
    if (this.#isSettled() || isCallersFault(error)) return false
    if (!(await this.#context.monitor.isPrimaryAlive())) return false
    this.#askedAgain = true
    if (this.#isSettled() || this.#isDecided()) return false
    // What the failed call may have done is not forgotten.
    this.#state.failed('primary', error)
    this.#state.of.primary = 'sent'
    return true
  }

  async #sendToLog(): Promise<void> {
    const { env } = this.#context
    try {
      const fresh = this.#isFresh()
      this.#repeats.logged(this.#operations)
      await withDeadline(env, this.#config.timeoutMs, 'wal append', this.#ticket.log(fresh), {
        place: 'wal',
      })
      await env.failpoints.hit('write.afterWal')
      this.#state.of.wal = 'done'
    } catch (error) {
      if (error instanceof BehindInLog) this.#behindInLog(error)
      else this.#failed('wal', error)
    }
    this.#step()
  }

  /** A caller's id that a database has decided stays where that database put it. */
  #isFresh(): boolean {
    const { unique, repeat, mergeOnly = false } = this.#group
    if (repeat !== undefined || mergeOnly || this.#repeats.isAny) return false
    return !unique || !this.#isDecided()
  }

  /** Another process was first in the log: the group is stamped again, unless it is acknowledged. */
  #behindInLog({ stamps, message }: BehindInLog): void {
    this.#state.failed('wal', new StorageError('UNAVAILABLE', message, { place: 'wal' }))
    if (this.#isSettled()) return
    this.#ticket.void()
    const sent = this.#group.operations
    const applied = sent.map(({ key }): Applied => {
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
      await places.backup.apply([], { hint: clock.writerId, timeoutMs: this.#config.timeoutMs })
      this.#state.hint = 'done'
    } catch (error) {
      // Without the hint other processes would take the primary for complete: it does not count.
      this.#state.hint = 'none'
      this.#failed('backup', error)
    }
    this.#step()
  }

  // ---- answers

  #answered(place: DatabasePlace, sent: readonly Operation[], result: ApplyResult): void {
    const context = this.#context
    const applied = this.#repeats.judged(sent, result.applied)
    sent.forEach(({ key }, i) => observeKey(context, key, applied[i]?.deletedThrough))
    this.#state.of[place] = 'done'
    const refused = applied.some(isRefusal)
    const repeats = refused ? undefined : this.#repeats.answered(sent, applied)
    // This place lacked ids that stand elsewhere in the other one: that one gets ours as well.
    if (repeats !== undefined) this.#context.log.owe(place, repeats.spread)
    if (this.#isSettled()) {
      if (refused) this.#lateRefusal(place, sent, applied)
      else if (standsElsewhere(sent, applied).length > 0) this.#ticket.missed(place)
      else this.#ticket.applied(place)
      return
    }
    if (repeats === undefined) {
      this.#refused(place, sent, applied)
      return
    }
    this.#state.taken = true
    if (repeats.isSplit) this.#ticket.missed(place)
    else this.#ticket.applied(place)
    if (repeats.operations === undefined) return
    this.#operations = repeats.operations
    if (!this.#ticket.isLogged()) this.#ticket.operations = this.#operations
  }

  #refused(place: DatabasePlace, sent: readonly Operation[], applied: readonly Applied[]): void {
    this.#state.of[place] = 'failed'
    this.#ticket.void()
    // Another place may have taken it, before it had heard of what stands in the way.
    this.#settle({ kind: 'refused', sent, applied, effect: this.#state.effect() })
  }

  #lateRefusal(
    place: DatabasePlace,
    sent: readonly Operation[],
    applied: readonly Applied[],
  ): void {
    // An acknowledged group is never withdrawn: it is merged, as far as the place can take it.
    this.#state.of[place] = 'failed'
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
      this.#fail('OVERLOADED', 'the primary decides whether the id is new, and is busy')
    } else if (this.#state.isHopeless(error)) {
      this.#ticket.void()
      this.#settle({ kind: 'failed', error: this.#state.errors.at(-1)! })
    }
  }

  /** It lives and decides for others meanwhile: so no other place may, and none was asked yet. */
  #isBusyDecider(error: unknown): boolean {
    return this.#askedAgain && this.#state.of.backup === 'idle' && isOwnBound(error)
  }

  // ---- deciding

  #step(): void {
    if (this.#isSettled()) {
      if (this.#undecided) this.#decideLate()
      return
    }
    if (this.#isEnough()) {
      if (this.#state.isHintMissing()) {
        void this.#sendHint()
        return
      }
      // A hint that goes with the group itself is not waited for: that copy is not counted yet.
      if (!this.#state.isHintUnderWay()) this.#acknowledge(this.#state.copies())
      return
    }
    this.#widen()
    // With the log out too the backup may stay the only one: its copy must count when time is up.
    if (this.#overdue && this.#state.isHintMissing()) void this.#sendHint()
    // The others hang and may do so until time is up.
    if (this.#overdue && !this.#state.hasMinCopies()) this.#sendSkipped()
    if (this.#state.isUnderWay() || this.#state.hint === 'sent') return
    this.#conclude()
  }

  /** Asks the places that are due by now. */
  #widen(): void {
    if (this.#group.unique && !this.#isDecided()) {
      this.#widenUndecided()
      return
    }
    const states = this.#state.of
    this.#send('wal')
    if (this.#group.unique) for (const place of this.#policy.atOnce) this.#send(place)
    const { wal } = this.#state.distinct()
    const troubled = states.primary === 'failed' || wal === 'failed' || this.#overdue
    if (!troubled) return
    this.#send('primary')
    this.#send('backup')
  }

  /**
   * One place decides whether ids are new. While the primary may yet do so nobody else is asked: a hedge
   * brings what is decided to a second place, and never makes a second decision.
   */
  #widenUndecided(): void {
    this.#send('primary')
    if (this.#state.of.primary !== 'failed' && !this.#primarySilent) return
    if (!this.#config.decideWithoutPrimary) return
    this.#send('backup')
    // The log decides when no database does, so it must not wait for the backup's deadline.
    if (this.#state.of.backup === 'failed') this.#send('wal')
  }

  #isEnough(): boolean {
    const states = this.#state.of
    if (this.#state.lacksLog()) return false
    if (this.#isDelete) {
      const answered = DATABASE_PLACES.every((place) => states[place] !== 'sent')
      return answered && this.#state.copies().length >= 2 && this.#state.hasMinCopies()
    }
    return this.#policy.enough(this.#state.distinct(), this.#overdue) && this.#state.hasMinCopies()
  }

  /** Everybody who was asked has answered. */
  #conclude(): void {
    const mayAsk = this.#isDecided() || !this.#group.unique || this.#config.decideWithoutPrimary
    const idle = mayAsk ? DATABASE_PLACES.filter((place) => this.#state.of[place] === 'idle') : []
    if (!this.#state.hasMinCopies() && idle.length > 0) {
      // What the policy waits for is there, but not durable enough: the databases are asked too.
      for (const place of idle) this.#send(place)
      this.#step()
      return
    }
    if (!this.#state.hasMinCopies() && this.#sendSkipped()) return
    if (!this.#state.hasMinCopies()) {
      this.#fail('UNAVAILABLE', 'too few places could be reached')
    } else if (this.#state.lacksLog()) {
      this.#fail('UNAVAILABLE', 'the log is out, and saves are to be refused without it')
    } else if (this.#state.isHintMissing()) {
      void this.#sendHint()
    } else {
      this.#acknowledge(this.#state.copies())
    }
  }

  /** The circuit is open, but nobody else is left: a last attempt is made anyway. */
  #sendSkipped(): boolean {
    const skipped = this.#skipped
    if (skipped === undefined || this.#state.of[skipped] !== 'failed') return false
    this.#skipped = undefined
    this.#state.of[skipped] = 'sent'
    this.#ticket.sent(skipped)
    void this.#sendTo(skipped)
    return true
  }

  #giveUp(): void {
    if (this.#isSettled()) return
    // Without a hint others would take the primary for complete: the backup's copy does not count.
    const hinted = this.#state.of.primary === 'done' || this.#state.hint === 'done'
    const copies = this.#state.copies().filter((place) => place !== 'backup' || hinted)
    if (this.#state.hasMinCopies(copies) && !this.#state.lacksLog()) this.#acknowledge(copies)
    else this.#fail('TIMEOUT', `no decision within ${this.#config.timeoutMs} ms`)
  }

  #acknowledge(copies: readonly PlaceName[]): void {
    this.#settle({ kind: 'acknowledged', operations: this.#operations, copies })
    this.#ticket.acknowledge()
    if (copies.length < 2) this.#context.notify({ kind: 'degraded-write', copies })
  }

  #fail(code: 'UNAVAILABLE' | 'TIMEOUT' | 'OVERLOADED', why: string): void {
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
    if (this.#state.copies().length > 0) this.#ticket.acknowledge()
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
    this.#timer?.cancel()
    this.#pingTimer?.cancel()
    resolve?.(result)
  }
}
