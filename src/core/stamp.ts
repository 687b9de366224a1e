/*
 * A stamp is a UUIDv7 (RFC 9562, section 5.7) in canonical lowercase text:
 *
 *   bits  48   Unix time in milliseconds
 *          4   version, 7
 *         12   counter (rand_a), raised when two stamps share a millisecond
 *          2   variant, binary 10
 *         62   random bits of the writer, new at every start (rand_b)
 *
 * Canonical text sorts like the 16 bytes do, so stamps are compared as strings.
 */
import { remember } from './lru.ts'

/** Time and identity of one operation. Compare with `<` and `>`. */
export type Stamp = string & { readonly __stamp: unique symbol }

/** Below every stamp. */
export const STAMP_MIN: Stamp = '00000000-0000-0000-0000-000000000000' as Stamp
/** Above every stamp of this protocol; used as the open end of a range. */
export const STAMP_MAX: Stamp = 'ffffffff-ffff-ffff-ffff-ffffffffffff' as Stamp

/** The value of each character that is a lowercase hexadecimal digit. */
const HEX_DIGITS = new Uint8Array(128)
for (let digit = 0; digit < 16; digit++) HEX_DIGITS[digit.toString(16).charCodeAt(0)] = digit

const COUNTER_MAX = 0xfff
const STAMP_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** True for the canonical text of a UUIDv7. */
export function isStamp(text: unknown): text is Stamp {
  return typeof text === 'string' && text.length === 36 && STAMP_PATTERN.test(text)
}

/**
 * Above every stamp that is taken from outside: the year 10000, where the times of RFC 3339 end too. No
 * clock comes near, and near the end of the 48 bits none could make a later stamp: what has such a
 * one could never be written again.
 */
export const STAMP_LIMIT: Stamp = stampFloor(253_402_300_800_000)

/** The Unix milliseconds inside a stamp. */
export function stampMs(stamp: Stamp): number {
  // Digit by digit: every message of a page is asked, and slices and `parseInt` cost three times this.
  let ms = 0
  for (let i = 0; i < 13; i++) if (i !== 8) ms = ms * 16 + HEX_DIGITS[stamp.charCodeAt(i)]!
  return ms
}

/** The smallest text of a given millisecond: a bound for ranges, not a stamp. */
export function stampFloor(ms: number): Stamp {
  return `${hexTime(Math.max(0, Math.floor(ms)))}-0000-0000-000000000000` as Stamp
}

/** The time of a stamp as its first two groups. In halves: engines write large numbers slowly. */
function hexTime(ms: number): string {
  const high = Math.floor(ms / 0x10000).toString(16)
  const low = (ms % 0x10000).toString(16)
  return `${high.padStart(8, '0')}-${low.padStart(4, '0')}`
}

export function maxStamp(a: Stamp, b: Stamp): Stamp
export function maxStamp(a: Stamp | undefined, b: Stamp | undefined): Stamp | undefined
export function maxStamp(a: Stamp | undefined, b: Stamp | undefined): Stamp | undefined {
  if (a === undefined) return b
  return b === undefined || a > b ? a : b
}

function counterOf(stamp: Stamp): number {
  return Number.parseInt(stamp.slice(15, 18), 16)
}

/** The 62 writer bits as the last two groups of a UUID, variant included. */
function writerTail(random: Uint8Array): string {
  const bytes = Uint8Array.from(random.subarray(0, 8))
  bytes[0] = (bytes[0]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 4)}-${hex.slice(4)}`
}

/** What a clock works with. */
export interface StampClockOptions {
  /** Wall clock, Unix milliseconds. */
  readonly now: () => number
  /** Eight random bytes that name this writer; new at every start. */
  readonly writer: Uint8Array
  /**
   * A stamp further ahead than this is followed for its key only, so that one broken clock does not
   * pull all keys into the future. Milliseconds. Default: 300,000.
   */
  readonly maxDriftMs?: number
  /** Told once for each stamp that was too far ahead. */
  readonly onDrift?: (aheadMs: number, key: string) => void
}

/** Keys whose own floor is remembered; the least recently raised one is forgotten first. */
const DRIFTED_KEYS_MAX = 10_000
/** Milliseconds ahead of the clock whose last counter is remembered, in the same way. */
const DRIFTED_MS_MAX = 10_000
/** A step ahead by less is no leap: nobody has to confirm it. Milliseconds. */
const LEAP_MS_MIN = 60_000
/** Runs of stamps that a clock remembers to have left. */
const LEFT_MAX = 16

/** Times of which stamps were made, one after another. Unix milliseconds, both included. */
interface Run {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * A hybrid logical clock that makes stamps. Within a process stamps strictly increase, also when
 * the wall clock goes back; a stamp greater than all that were observed is made by `tick`.
 *
 * With one exception. A leap ahead that was not `correct`ed by a server's clock since is taken back as
 * soon as one says that it was wrong, so that a clock that was wrong for a moment does not put all later
 * stamps into the future. Keys that were stamped or observed meanwhile go on from there, each by itself.
 */
export class StampClock {
  /** The writer's part of each stamp: names this incarnation of the process. */
  readonly writerId: string
  readonly #now: () => number
  readonly #maxDriftMs: number
  readonly #onDrift: (aheadMs: number, key: string) => void
  readonly #drifted = new Map<string, Stamp>()
  /** The last counter of a millisecond of which a stamp was made for a key ahead of the clock. */
  readonly #used = new Map<number, number>()
  #ms = 0
  #counter = 0
  /** The greatest stamp that was observed: later stamps exceed it already. */
  #observed: Stamp = STAMP_MIN
  #offsetMs = 0
  readonly #leapMs: number
  /** The first time of the current run of stamps, which began with a leap. */
  #fromMs = 0
  /** Some server's clock has confirmed the current run. */
  #isProven = false
  /** Somebody compares the wall clock with others, and may yet say that a run is to be taken back. */
  #isJudged = false
  /** The last time of the confirmed runs: a leap after them is not taken back further. */
  #provenMs = 0
  /** The time of the last confirmation. */
  #confirmedMs = 0
  /** Runs that were left by a leap, in either direction: no stamp of theirs is made again. */
  #left: Run[] = []
  /** The last time of all of them. */
  #leftMs = 0
  /** The last time of those that were forgotten. */
  #forgottenMs = 0

  constructor({ now, writer, maxDriftMs = 300_000, onDrift = () => {} }: StampClockOptions) {
    this.#now = now
    this.#maxDriftMs = maxDriftMs
    this.#leapMs = Math.max(maxDriftMs, LEAP_MS_MIN)
    this.#onDrift = onDrift
    this.writerId = writerTail(writer)
  }

  /** The wall clock with the measured skew taken out. Unix milliseconds. */
  now(): number {
    return Math.floor(this.#now() + this.#offsetMs)
  }

  /** Sets how far the wall clock is off, unconfirmed. Milliseconds. */
  set(offsetMs: number): void {
    this.#offsetMs = offsetMs
  }

  /**
   * Corrects for a wall clock that is off by this much, as servers say that are to be believed.
   * Milliseconds. What was stamped since an unconfirmed leap to a later time is left behind.
   */
  correct(offsetMs: number): void {
    this.#offsetMs = offsetMs
    this.#confirmedMs = this.now()
    if (this.#isProven) return
    if (this.#ms - this.#confirmedMs > this.#leapMs) this.#comeBack()
    this.#isProven = true
    this.#forgetPassed()
  }

  /** Whether anybody may yet correct this clock: only then what each key has is noted. Default: false. */
  judge(isJudged: boolean): void {
    if (isJudged === this.#isJudged) return
    this.#isJudged = isJudged
    if (!isJudged) this.#forgetPassed()
  }

  /** All later stamps are above these floors: nothing is taken back any more. */
  #forgetPassed(): void {
    for (const [key, stamp] of this.#drifted) {
      if (stampMs(stamp) < this.#ms) this.#drifted.delete(key)
    }
  }

  /** The current run may be taken back, and then each key goes on from what it has. */
  get #isDoubtful(): boolean {
    return this.#isJudged && !this.#isProven
  }

  /** The next stamp. Greater than every stamp observed, and than those observed for `key`. */
  tick(key?: string): Stamp {
    const now = this.now()
    if (now > this.#ms) this.#goTo(now, 0)
    else [this.#ms, this.#counter] = following(this.#ms, this.#counter)
    if (this.#used.size > 0 || this.#ms <= this.#leftMs) {
      ;[this.#ms, this.#counter] = this.#unused(this.#ms, this.#counter)
    }
    const own = this.#format(this.#ms, this.#counter)
    const floor = key === undefined ? undefined : this.#drifted.get(key)
    if (floor !== undefined && own <= floor) return this.#above(floor, key!)
    if (this.#isDoubtful && key !== undefined) remember(this.#drifted, key, own, DRIFTED_KEYS_MAX)
    return own
  }

  /** The next stamp of a key that is ahead of this clock. */
  #above(floor: Stamp, key: string): Stamp {
    const [ms, counter] = this.#unused(...following(stampMs(floor), counterOf(floor)))
    remember(this.#used, ms, counter, DRIFTED_MS_MAX)
    const next = this.#format(ms, counter)
    this.#drifted.set(key, next)
    return next
  }

  /** This place or the first one after it of which no stamp was made. */
  #unused(ms: number, counter: number): [number, number] {
    const run = this.#left.find(({ fromMs, toMs }) => fromMs <= ms && ms <= toMs)
    if (run !== undefined) return this.#unused(run.toMs + 1, 0)
    const used = this.#used.get(ms)
    if (used === undefined || used < counter) return [ms, counter]
    return this.#unused(...following(ms, used))
  }

  /** Later stamps are made from here on. A leap begins a new run, which has to be confirmed. */
  #goTo(ms: number, counter: number): void {
    if (ms - Math.max(this.#ms, this.#confirmedMs) > this.#leapMs) {
      this.#leaveRun()
      this.#fromMs = ms
      if (this.#isProven) this.#provenMs = this.#ms
      this.#isProven = false
    }
    this.#ms = ms
    this.#counter = counter
  }

  #comeBack(): void {
    this.#leaveRun()
    this.#ms = this.#fromMs = Math.max(this.#confirmedMs, this.#provenMs, this.#forgottenMs)
    this.#counter = COUNTER_MAX
    this.#observed = STAMP_MIN
  }

  #leaveRun(): void {
    if (this.#ms === 0) return
    const left = [...this.#left, { fromMs: this.#fromMs, toMs: this.#ms }]
    left.sort((a, b) => a.toMs - b.toMs)
    if (left.length > LEFT_MAX) this.#forgottenMs = left.shift()!.toMs
    this.#left = left
    this.#leftMs = left.at(-1)!.toMs
  }

  /** Makes later stamps greater than this one. */
  observe(stamp: Stamp | undefined, key?: string): void {
    if (stamp === undefined || stamp >= STAMP_LIMIT) return
    this.#rise(stamp, key)
    if (this.#isDoubtful && key !== undefined) this.#note(stamp, key)
  }

  #rise(stamp: Stamp, key: string | undefined): void {
    // A page of a conversation is observed item by item, and only its last one tells anything new.
    if (stamp <= this.#observed) return
    const ms = stampMs(stamp)
    const aheadMs = ms - this.now()
    if (aheadMs > this.#maxDriftMs && ms > this.#ms) {
      this.#follow(stamp, aheadMs, key)
      return
    }
    const counter = counterOf(stamp)
    if (ms > this.#ms || (ms === this.#ms && counter > this.#counter)) this.#goTo(ms, counter)
    this.#observed = stamp
  }

  /**
   * Makes later stamps greater than this time: the ceiling that an earlier start had saved. Once a
   * server has confirmed the clock, a time that is too far ahead is that of a clock that was wrong.
   */
  observeMs(ms: number): void {
    if (ms <= this.#ms || (this.#confirmedMs > 0 && ms - this.now() > this.#leapMs)) return
    this.#goTo(ms, COUNTER_MAX)
  }

  #follow(stamp: Stamp, aheadMs: number, key: string | undefined): void {
    if (key === undefined) return
    const floor = this.#drifted.get(key)
    const isKnown = floor !== undefined && stampMs(floor) - this.now() > this.#maxDriftMs
    this.#note(stamp, key)
    if (!isKnown) this.#onDrift(aheadMs, key)
  }

  #note(stamp: Stamp, key: string): void {
    const floor = this.#drifted.get(key)
    if (floor === undefined || floor < stamp) remember(this.#drifted, key, stamp, DRIFTED_KEYS_MAX)
  }

  #format(ms: number, counter: number): Stamp {
    const count = counter.toString(16).padStart(3, '0')
    return `${hexTime(ms)}-7${count}-${this.writerId}` as Stamp
  }
}

function following(ms: number, counter: number): [number, number] {
  return counter < COUNTER_MAX ? [ms, counter + 1] : [ms + 1, 0]
}
