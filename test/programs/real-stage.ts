import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ChatHistoryOptions } from '../../src/index.ts'
import type { DatabasePlace } from '../../src/core/places.ts'
import { DATABASE_PLACES } from '../../src/core/places.ts'
import type { PerformedCall } from '../../simulator/programs/perform-call.ts'
import {
  hasFaults,
  type CallStep,
  type CutKind,
  type FaultStep,
  type Program,
} from '../../simulator/programs/program.ts'
import type { Stage } from '../../simulator/programs/run-program.ts'
import { hasProgram } from '../support/has-program.ts'
import { modeOf, type Door, type Engine } from './engines.ts'
import { ProcessEnded, type ProgramProcess } from './program-process.ts'

/**
 * Longest that healed databases and logs may take to be equal: the lease of a process that was killed in a
 * pass lasts ten seconds. Milliseconds.
 */
const SETTLE_MS_MAX = 30_000
const RETRY_MS = 50
const RETRY_MS_MAX = 500
const FLUSH_MS_MAX = 5_000
/** A place that connects later than this counts as out, which it never is without a fault. */
const OPEN_MS_MAX = 60_000

const KEYS = `k1:${Buffer.alloc(32, 7).toString('base64')}`
const VISIT = 'SELECT count(*) FROM everthread_items'
const hasSqlite = hasProgram('sqlite3')

/** One process of a program, whichever operating system process it is at the moment. */
export interface Slot {
  process: ProgramProcess
  readonly door: Door
}

export interface RealStageOptions {
  readonly engine: Engine
  readonly slots: readonly Slot[]
  /** A fresh process, started beforehand. */
  readonly spare: () => ProgramProcess
}

interface Seat extends Slot {
  readonly options: ChatHistoryOptions
  readonly cuts: Record<DatabasePlace, CutKind | undefined>
  isOpen: boolean
  /** It is being closed, killed or opened. */
  isBusy: boolean
}

/** Processes of this machine on real databases. */
export class RealStage implements Stage {
  readonly leftovers: string[] = []
  readonly #spare: () => ProgramProcess
  readonly #seats: readonly Seat[]
  readonly #slots: readonly Slot[]
  readonly #isFaulty: boolean

  constructor(program: Program, { engine, slots, spare }: RealStageOptions) {
    const places = engine.places(program)
    this.#spare = spare
    this.#slots = slots
    this.#isFaulty = hasFaults(program)
    this.#seats = slots.slice(0, program.processes).map(({ process, door }) => ({
      process,
      door,
      isOpen: false,
      isBusy: false,
      cuts: { primary: undefined, backup: undefined },
      options: {
        ...places(door),
        write: { type: program.store.write, config: { timeout: 2_000 } },
        // Where there is a cache, it is read by.
        read: {
          type: engine.hasCache(program) ? 'cache-enhanced' : program.store.read,
          config: {},
        },
        health: { type: program.store.health, config: {} },
        // What is cut is not waited for as long as what is only slow.
        connectTimeout: this.#isFaulty ? 1_000 : OPEN_MS_MAX,
        ...(this.#isFaulty && { drainTimeout: 500 }),
        // Some encrypt: a program is the same whatever its stores do.
        ...(program.seed % 4 === 1 && { encryption: { keys: KEYS } }),
      },
    }))
  }

  async start(): Promise<void> {
    await Promise.all(this.#seats.map((_, i) => this.#open(i)))
  }

  async perform(process: number, step: CallStep): Promise<PerformedCall | undefined> {
    const seat = this.#seats[process]!
    if (!seat.isOpen && !seat.isBusy) await this.#open(process)
    if (!seat.isOpen) return undefined
    const startMs = now()
    try {
      return await seat.process.ask<PerformedCall>('perform', { step })
    } catch (error) {
      if (!(error instanceof ProcessEnded)) this.#complain(process, error)
      return { startMs, outcome: 'unknown' }
    }
  }

  async flush(process: number): Promise<void> {
    if (!this.#seats[process]!.isOpen) return
    try {
      await this.#ask(process, 'flush', { deadlineMs: this.#isFaulty ? 100 : FLUSH_MS_MAX })
    } catch (error) {
      if (!this.#isFaulty) this.#complain(process, error)
    }
  }

  async reopen(process: number): Promise<void> {
    await this.#close(process)
    await this.#visit(process)
    await this.#open(process)
  }

  /**
   * Another program reads the files and closes them. One of our own processes may be none: with
   * @photostructure/sqlite a closed file stays open until its statements are collected.
   */
  async #visit(process: number): Promise<void> {
    const { primary, backup } = this.#seats[process]!.options
    for (const place of hasSqlite ? [primary, backup] : []) {
      if (typeof place !== 'object' || !('type' in place) || place.type !== 'sqlite') continue
      // Somebody may hold a lock just now: it has come and gone all the same.
      const visit = promisify(execFile)('sqlite3', [place.path!, VISIT])
      await visit.catch(() => undefined)
    }
  }

  async kill(process: number, afterMs: number): Promise<void> {
    const seat = this.#seats[process]!
    await sleep(afterMs)
    seat.isOpen = false
    seat.isBusy = true
    await seat.process.kill()
    seat.process = this.#spare()
    this.#slots[process]!.process = seat.process
    await this.#open(process)
  }

  async fault(step: Exclude<FaultStep, { readonly act: 'kill' }>): Promise<void> {
    switch (step.act) {
      case 'cut':
        return await this.#cut(this.#seats[step.process]!, step.place, step.how)
      case 'mend':
        return await this.#cut(this.#seats[step.process]!, step.place, undefined)
      case 'outage':
        for (const seat of this.#seats) await this.#cut(seat, step.place, step.how)
        await sleep(step.ms)
        for (const seat of this.#seats) await this.#cut(seat, step.place, undefined)
        return
    }
  }

  async wait(ms: number): Promise<void> {
    await sleep(ms)
  }

  async settle(reconcile: boolean): Promise<void> {
    for (const seat of this.#seats) {
      for (const place of DATABASE_PLACES) await this.#cut(seat, place, undefined)
    }
    const untilMs = now() + SETTLE_MS_MAX
    let error = await this.#settleOnce(reconcile)
    // Without faults nothing needs a second try.
    for (let tries = 1; error !== undefined && this.#isFaulty && now() < untilMs; tries++) {
      await sleep(Math.min(RETRY_MS * tries, RETRY_MS_MAX))
      error = await this.#settleOnce(reconcile)
    }
    if (error !== undefined) this.leftovers.push(`does not come together: ${error}`)
  }

  async contents(): Promise<Readonly<Record<DatabasePlace, string>>> {
    for (const [i, seat] of this.#seats.entries()) {
      this.leftovers.push(...seat.process.surprises.splice(0).map((text) => `p${i}: ${text}`))
    }
    return await this.#seats[0]!.process.ask('contents')
  }

  /** Closes every store, so that the processes can be used for the next program. */
  async end(): Promise<void> {
    await Promise.all(this.#seats.map((_, i) => this.#close(i)))
    for (const seat of this.#seats) {
      for (const place of DATABASE_PLACES) await seat.door.cut(place, undefined)
    }
  }

  async #settleOnce(reconcile: boolean): Promise<string | undefined> {
    try {
      for (const i of this.#seats.keys()) if (!this.#seats[i]!.isOpen) await this.#open(i, true)
      // What one brings another may still owe: twice.
      for (let pass = 0; pass < 2; pass++) {
        for (const i of this.#seats.keys()) {
          await this.#ask(i, 'flush', { deadlineMs: FLUSH_MS_MAX })
        }
      }
      if (reconcile) await this.#ask(0, 'reconcile')
      for (const i of this.#seats.keys()) {
        const owed = await this.#seats[i]!.process.ask<Record<string, number>>('owed')
        if (Object.values(owed).some((count) => count > 0)) {
          return `p${i} owes ${JSON.stringify(owed)}`
        }
      }
      return undefined
    } catch (error) {
      return String(error)
    }
  }

  async #open(process: number, mustOpen = false): Promise<void> {
    const seat = this.#seats[process]!
    seat.isBusy = true
    const { primary, backup } = seat.cuts
    try {
      const modes = { primary: modeOf(primary), backup: modeOf(backup) }
      await seat.process.ask('open', { options: seat.options, modes })
      seat.isOpen = true
    } catch (error) {
      if (mustOpen) throw error
      if (!this.#isFaulty) this.#complain(process, error)
    } finally {
      seat.isBusy = false
    }
  }

  async #close(process: number): Promise<void> {
    const seat = this.#seats[process]!
    seat.isOpen = false
    seat.isBusy = true
    try {
      await seat.process.ask('close')
    } catch (error) {
      if (!this.#isFaulty) this.#complain(process, error)
    }
  }

  async #cut(seat: Seat, place: DatabasePlace, how: CutKind | undefined): Promise<void> {
    seat.cuts[place] = how
    await seat.door.cut(place, how)
    await this.#quietly(seat.process.ask('mode', { place, mode: modeOf(how) }))
  }

  async #ask(process: number, command: string, fields: object = {}): Promise<void> {
    await this.#seats[process]!.process.ask(command, fields)
  }

  /** It may have been killed meanwhile; the next one is told at its start. */
  async #quietly(asked: Promise<void>): Promise<void> {
    try {
      await asked
    } catch (error) {
      if (!(error instanceof ProcessEnded)) throw error
    }
  }

  #complain(process: number, error: unknown): void {
    this.leftovers.push(`p${process}: ${String(error)}`)
  }
}

/** The monotonic clock of the machine, the same in every process. Milliseconds. */
function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}
