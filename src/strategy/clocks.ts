import type { Env } from '../core/env.ts'
import { StorageError } from '../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import type { StampClock } from '../core/stamp.ts'

/** A clock that is off by no more than this is left alone. */
const TOLERANCE_MS = 5
/** How often a clock that disagrees is told again to listeners. Milliseconds. */
const TELL_EVERY_MS = 60_000

/** How the clocks stand to each other. */
export interface ClocksStatus {
  /** False while one differs from this process's own by more than `maxClockDriftMs`. */
  readonly agree: boolean
  /**
   * How far each server's clock is ahead of this process's own, as of the last answer. Milliseconds;
   * negative: it is behind. Absent: not heard of yet, or the database has no clock of its own (SQLite,
   * memory).
   */
  readonly aheadMs: Readonly<Partial<Record<DatabasePlace, number>>>
}

export interface ClocksOptions {
  readonly env: Env
  readonly clock: StampClock
  readonly maxDriftMs: number
  /** Those that the store has. */
  readonly places: readonly DatabasePlace[]
  readonly onDisagree: (place: DatabasePlace, aheadMs: number) => void
}

/** Where a clock is on the monotonic one, between two bounds. Milliseconds. */
interface Reading {
  readonly least: number
  readonly most: number
}

interface Heard extends Reading {
  /** Where our wall clock was then: since it was set, or the machine slept, the reading is worth nothing. */
  readonly wall: number
}

/**
 * The clocks of the two databases, our own, and our own as it was when it last agreed with one: four
 * witnesses of what time it is. Stamps follow the primary's clock where another one agrees with it, and
 * else our own; what removes something by its age runs only while all agree.
 */
export class Clocks {
  readonly #options: ClocksOptions
  readonly #heard: Partial<Record<DatabasePlace, Heard>> = {}
  /** Databases without a clock of their own. */
  readonly #silent = new Set<DatabasePlace>()
  /** Our wall clock when it last agreed with a server's. */
  #agreed: Reading | undefined
  #offsetMs = 0
  #disagreeing: readonly DatabasePlace[] = []
  #toldAt = 0

  constructor(options: ClocksOptions) {
    this.#options = options
    options.clock.judge(true)
  }

  /**
   * What the clock of a database said in a call that began at this monotonic time. Undefined: it has
   * none of its own.
   */
  hear(place: DatabasePlace, serverMs: number | undefined, startedAt: number): void {
    const { env, clock, places } = this.#options
    const wall = this.#wall()
    if (serverMs === undefined) {
      this.#silent.add(place)
      // With nobody to ask, our own is all there is.
      if (places.every((known) => this.#silent.has(known))) clock.judge(false)
      return
    }
    const endedAt = env.monotonic()
    // The server read its clock at some moment of the round trip.
    const least = serverMs - endedAt - TOLERANCE_MS
    const most = serverMs - startedAt + TOLERANCE_MS
    this.#heard[place] = { least, most, wall }
    if (this.#agree(this.#heard[place], own(wall))) this.#agreed = own(wall)
    this.#correct(wall)
    this.#tell()
  }

  /** @throws StorageError `UNAVAILABLE` that names the clocks, unless all that are known agree. */
  check(work: string): void {
    const wall = this.#wall()
    const wrong = this.#wrong(wall).map((place) => {
      const aheadMs = this.#aheadMs(place, wall)
      return `the ${place}'s is ${Math.abs(aheadMs)} ms ${aheadMs > 0 ? 'ahead' : 'behind'}`
    })
    if (this.#hasLeapt(wall)) wrong.push('it was set, or slept, since a server confirmed it')
    if (wrong.length === 0) return
    const { maxDriftMs } = this.#options
    const why = `${work} needs clocks that agree to ${maxDriftMs} ms, and compared with this process's own`
    throw new StorageError('UNAVAILABLE', `${why} ${wrong.join(' and ')}`, { effect: 'none' })
  }

  /** What time it is by the clock that is furthest behind. Unix milliseconds. */
  earliestMs(): number {
    const wall = this.#wall()
    const known = this.#known().map((place) => this.#heard[place]!.least)
    return Math.floor(this.#options.env.monotonic() + Math.min(wall, ...known))
  }

  status(): ClocksStatus {
    const wall = this.#wall()
    const ahead = this.#known().map((place) => [place, this.#aheadMs(place, wall)])
    const agree = this.#wrong(wall).length === 0 && !this.#hasLeapt(wall)
    return { agree, aheadMs: Object.fromEntries(ahead) as ClocksStatus['aheadMs'] }
  }

  /** Our wall clock on the monotonic one: it stays where it is unless it is set or the machine sleeps. */
  #wall(): number {
    const { env } = this.#options
    return env.now() - env.monotonic()
  }

  #agree(a: Reading | undefined, b: Reading | undefined): boolean {
    if (a === undefined || b === undefined) return false
    return Math.max(a.least - b.most, b.least - a.most) <= this.#options.maxDriftMs
  }

  /** Places whose last reading says something of now. */
  #known(): DatabasePlace[] {
    const wall = this.#wall()
    return DATABASE_PLACES.filter((place) => {
      const heard = this.#heard[place]
      return heard !== undefined && this.#agree(own(heard.wall), own(wall))
    })
  }

  #wrong(wall: number): DatabasePlace[] {
    return this.#known().filter((place) => !this.#agree(this.#heard[place], own(wall)))
  }

  #hasLeapt(wall: number): boolean {
    return this.#agreed !== undefined && !this.#agree(this.#agreed, own(wall))
  }

  #aheadMs(place: DatabasePlace, wall: number): number {
    const { least, most } = this.#heard[place]!
    return Math.round((least + most) / 2 - wall)
  }

  /** The correction moves no further than it must: a slow answer must not spoil what a quick one has told. */
  #correct(wall: number): void {
    const { clock } = this.#options
    const followed = this.#followed(wall)
    if (followed === undefined) {
      this.#offsetMs = 0
      clock.set(0)
      return
    }
    const { least, most } = followed
    this.#offsetMs = Math.round(Math.min(most - wall, Math.max(least - wall, this.#offsetMs)))
    clock.correct(this.#offsetMs)
  }

  /** The clock that stamps follow; undefined: our own, because it stands alone against a server's. */
  #followed(wall: number): Reading | undefined {
    const known = this.#known()
    const primary = known.includes('primary') ? this.#heard.primary : undefined
    const backup = known.includes('backup') ? this.#heard.backup : undefined
    const ours = own(wall)
    if ([ours, backup, this.#agreed].some((other) => this.#agree(primary, other))) return primary
    if (this.#agree(backup, ours)) return ours
    return this.#agree(backup, this.#agreed) ? backup : undefined
  }

  #tell(): void {
    const { env, onDisagree } = this.#options
    const wall = this.#wall()
    const wrong = this.#wrong(wall)
    const isNew = wrong.some((place) => !this.#disagreeing.includes(place))
    if (isNew || (wrong.length > 0 && env.monotonic() - this.#toldAt >= TELL_EVERY_MS)) {
      this.#toldAt = env.monotonic()
      for (const place of wrong) onDisagree(place, this.#aheadMs(place, wall))
    }
    const { aheadMs } = this.status()
    const text = 'clocks disagree: nothing is removed by its age until they agree'
    if (this.#disagreeing.length === 0 && wrong.length > 0) env.logger.warn({ aheadMs }, text)
    if (this.#disagreeing.length > 0 && wrong.length === 0) {
      env.logger.info({ aheadMs }, 'clocks agree again')
    }
    this.#disagreeing = wrong
  }
}

function own(wall: number): Reading {
  return { least: wall, most: wall }
}
