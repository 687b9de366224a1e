import { StampClock, stampMs } from '../../src/core/stamp.ts'
import type { Operation } from '../../src/core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../src/core/places.ts'
import type { JsonText } from '../../src/core/json.ts'
import type { Logger } from '../../src/core/logger.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { seededRandom, virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import type { FileWalOptions } from '../../src/wal/file/options.ts'
import type { Lsn, WalOpened } from '../../src/wal/wal.ts'

export const WAL_DIRECTORY = '/wal'

/** What the test knows of one append. */
export interface Known {
  readonly id: number
  readonly operations: readonly Operation[]
  outcome: 'running' | 'acknowledged' | 'unknown' | 'refused'
  lsn?: Lsn
  readonly has: Set<DatabasePlace>
  /** Places that refused it, durably. */
  readonly refusedBy: Set<DatabasePlace>
}

export interface WalProcess {
  readonly env: VirtualEnv
  readonly wal: FileWal
  readonly writer: string
  readonly clock: StampClock
}

/** A machine with a disk, on which processes with a log run and die one after another. */
export class WalMachine {
  readonly disk: SimulatedDisk
  readonly random: () => number
  readonly known: Known[] = []
  readonly writers: string[] = []
  readonly #options: Partial<FileWalOptions>
  readonly #logger: Logger | undefined
  #nowMs = Date.UTC(2026, 0, 1)
  #pids = 1

  constructor(seed: number, options: Partial<FileWalOptions> = {}, logger?: Logger) {
    this.random = seededRandom(seed)
    this.disk = new SimulatedDisk({ now: () => this.#nowMs })
    this.#options = options
    this.#logger = logger
  }

  int(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1))
  }

  /** A process of its own, whose log is not open. */
  process(): WalProcess {
    const pid = this.#pids++
    const self = { bootId: 'boot', pidNamespace: '1', pid, startTime: '1' }
    const env = virtualEnv({
      seed: this.int(1, 1e9),
      startMs: this.#nowMs,
      disk: this.disk.attach(),
      process: { self, state: (other) => (other.pid === pid ? 'alive' : 'dead') },
      ...(this.#logger !== undefined && { logger: this.#logger }),
    })
    const wal = new FileWal(env, {
      directory: WAL_DIRECTORY,
      segmentBytes: 4096,
      cacheBytes: 0,
      ...this.#options,
    })
    const clock = new StampClock({ now: () => env.now(), writer: env.randomBytes(8) })
    return { env, wal, clock, writer: clock.writerId }
  }

  async open(process: WalProcess): Promise<WalOpened> {
    const opened = await process.env.drive(process.wal.open(process.writer))
    process.clock.observeMs(opened.ceilingMs)
    process.clock.observe(opened.head)
    this.writers.push(process.writer)
    return opened
  }

  /** Lets virtual time pass, as far as the disk still answers. */
  async pass({ env }: WalProcess, ms: number): Promise<void> {
    await env.advance(ms)
    this.#nowMs = Math.max(this.#nowMs, env.now())
  }

  /** Starts an append of one to three operations and keeps what becomes of it. */
  append({ wal, clock }: WalProcess, valueBytes: number): Promise<void> {
    const id = this.known.length
    const operations = Array.from({ length: this.int(1, 3) }, (_, i): Operation => {
      const stamp = clock.tick()
      const value = JSON.stringify(`${id}.${i}:${'x'.repeat(valueBytes)}`) as JsonText
      const key = `key-${this.int(0, 3)}`
      return { kind: 'put', change: 'append', key, id: stamp, position: stamp, stamp, value }
    })
    const known: Known = {
      id,
      operations,
      outcome: 'running',
      has: new Set(),
      refusedBy: new Set(),
    }
    this.known.push(known)
    return wal.append(operations).then(
      (lsn) => {
        known.outcome = 'acknowledged'
        known.lsn = lsn
      },
      (error: { effect?: string }) => {
        known.outcome = error.effect === 'none' ? 'refused' : 'unknown'
      },
    )
  }

  acknowledge({ wal }: WalProcess, known: Known, place: DatabasePlace): void {
    if (known.outcome !== 'acknowledged' || known.lsn === undefined) return
    known.has.add(place)
    wal.acknowledge(place, [known.lsn])
  }

  /** Starts setting an append aside for a place. */
  async quarantine({ wal }: WalProcess, known: Known, place: DatabasePlace): Promise<void> {
    if (known.outcome !== 'acknowledged' || known.lsn === undefined || known.has.has(place)) return
    try {
      await wal.quarantine(place, known.lsn, 'poison')
      known.refusedBy.add(place)
    } catch (error) {
      if ((error as { code?: string }).code !== 'UNAVAILABLE') throw error
    }
  }

  /** What was running when a process died has an unknown outcome. */
  died(): void {
    for (const known of this.known) if (known.outcome === 'running') known.outcome = 'unknown'
  }

  /**
   * What a log must hold after a crash: every acknowledged append that a place lacks, once and in
   * order; and nothing that nobody appended or that was refused without effect.
   */
  async check(process: WalProcess, opened: WalOpened): Promise<void> {
    const { wal } = process
    for (const place of DATABASE_PLACES) {
      const entries = await process.env.drive(wal.read(place, 1_000_000))
      const found = new Map<number, Lsn>()
      let former = 0
      for (const { lsn, operations } of entries) {
        const id = Number(
          /^"(\d+)\./.exec('value' in operations[0]! ? operations[0].value : '')?.[1],
        )
        const known = this.known[id]
        assert(lsn > former, `${place}: entry ${lsn} follows ${former}`)
        former = lsn
        assert(known !== undefined, `${place}: entry ${lsn} was appended by nobody`)
        assert(!found.has(id), `${place}: append ${id} is there twice`)
        assert(known.outcome !== 'refused', `${place}: append ${id} was refused without effect`)
        assert(
          JSON.stringify(known.operations) === JSON.stringify(operations),
          `${place}: append ${id} changed`,
        )
        if (known.outcome === 'acknowledged') {
          assert(known.lsn === lsn, `${place}: append ${id} was ${known.lsn} and is ${lsn}`)
        }
        const isAside = known.refusedBy.has(place) && !known.has.has(place)
        assert(!isAside, `${place}: append ${id} was set aside and is read`)
        found.set(id, lsn)
      }
      const pending = await this.#pending(process, place)
      for (const known of this.known) {
        if (known.outcome !== 'acknowledged' || known.has.has(place)) continue
        assert(pending.has(known.id), `${place}: append ${known.id} (${known.lsn}) is lost`)
      }
      this.#adopt(found)
    }
    for (const { outcome, operations } of this.known) {
      if (outcome !== 'acknowledged') continue
      const ms = stampMs(operations.at(-1)!.stamp)
      assert(ms <= opened.ceilingMs, `a stamp of ${ms} is above the ceiling ${opened.ceilingMs}`)
    }
    // Also those that died while they opened may be named.
    const former = opened.formerWriters.filter((writer) => this.writers.includes(writer))
    const expected = this.writers.slice(0, -1)
    assert(
      JSON.stringify(former) === JSON.stringify(expected),
      `former writers are ${former.join()}, not ${expected.join()}`,
    )
  }

  /** The appends that a reader of some key overlays. */
  async #pending({ env, wal }: WalProcess, place: DatabasePlace): Promise<ReadonlySet<number>> {
    const pending = new Set<number>()
    for (const key of wal.pendingKeys(place)) {
      for (const operation of await env.drive(wal.pending(place, key))) pending.add(idOf(operation))
    }
    return pending
  }

  /** What was found counts as acknowledged from now on: it is given to the databases. */
  #adopt(found: ReadonlyMap<number, Lsn>): void {
    for (const known of this.known) {
      const lsn = found.get(known.id)
      if (lsn === undefined || known.outcome !== 'unknown') continue
      known.outcome = 'acknowledged'
      known.lsn = lsn
    }
  }
}

function idOf(operation: Operation): number {
  return Number(/^"(\d+)\./.exec('value' in operation ? operation.value : '')?.[1])
}

function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message)
}
