import { DATABASE_PLACES } from '../src/core/places.ts'
import type { LogFault } from './log-device.ts'
import { RandomSource } from './random-source.ts'
import { hasBadClocks } from './settings.ts'
import type { SimulatedDatabase } from './simulated-database.ts'
import type { Node, World } from './world.ts'

const FIRST_FAULT_MS = 500
const PAUSE_MS_MIN = 200
const FAULT_ID = /^f\d+$/

/** Breaks things at random until it is told to stop. What it broke heals by itself after a while. */
export class Nemesis {
  readonly #world: World
  /** When faults strike; all else about a fault comes from numbers of its own. */
  readonly #times: RandomSource
  #random: RandomSource
  #count = 0
  #waiting = 0
  #stopped = false

  constructor(world: World) {
    this.#world = world
    this.#times = new RandomSource(world.seed, 'nemesis')
    this.#random = this.#times
  }

  /** True when every fault of a plan has struck; without a plan always. */
  get isDone(): boolean {
    return this.#waiting === 0
  }

  start(): void {
    const { keep, kernel, settings } = this.#world
    if (keep === undefined) {
      if (settings.faults.length > 0) this.#next(FIRST_FAULT_MS)
      return
    }
    for (const [id, atMs] of keep) {
      if (!FAULT_ID.test(id)) continue
      this.#waiting++
      kernel.schedule(atMs - kernel.now, () => {
        this.#waiting--
        if (!this.#stopped) this.#strike(id)
      })
    }
  }

  stop(): void {
    this.#stopped = true
  }

  #next(delayMs: number): void {
    this.#world.kernel.schedule(delayMs, () => {
      if (this.#stopped) return
      this.#strike(`f${this.#count++}`)
      this.#next(this.#times.between(PAUSE_MS_MIN, this.#world.settings.faultEveryMs))
    })
  }

  #strike(id: string): void {
    const world = this.#world
    const random = new RandomSource(world.seed, id)
    this.#random = random
    const fault = random.pick(world.settings.faults)
    const { primary, backup } = world.databases
    const node = random.pick(world.nodes)
    const either = world.databases[random.pick(DATABASE_PLACES)]
    const ms = random.between(300, 8_000)
    const text = `FAULT ${fault} (${node.name}, ${either.name}, ${Math.round(ms)} ms)`
    world.takesStep(id, text)
    world.faults++
    switch (fault) {
      case 'primary-down':
        return this.#down([primary], ms)
      case 'backup-down':
        return this.#down([backup], ms)
      case 'both-down':
        return this.#down([primary, backup], Math.min(ms, 3_000))
      case 'primary-paused':
        return this.#pause(primary, ms)
      case 'backup-paused':
        return this.#pause(backup, ms)
      case 'partition':
        either.cutOff.add(node.process.index)
        return this.#later(ms, () => void either.cutOff.delete(node.process.index))
      case 'kill':
      case 'power-cut':
        return this.#kill(node, fault === 'power-cut')
      case 'restart':
        return this.#restart(node)
      case 'drop':
        either.dropRequest = 0.1
        either.dropReply = 0.3
        return this.#later(Math.min(ms, 4_000), () => {
          either.dropRequest = either.dropReply = 0
        })
      case 'replies-lost':
        primary.dropReply = 0.8
        return this.#later(Math.min(ms, 3_000), () => {
          primary.dropReply = 0
        })
      case 'slow':
        either.slowness = random.pick([5, 20, 60])
        return this.#later(ms, () => {
          either.slowness = 1
        })
      case 'clock':
        // Far off, and then one server's at a time: of three clocks one may be wrong.
        if (hasBadClocks(world.settings) && random.chance(0.3)) {
          for (const database of [primary, backup]) database.setClock(0)
          return either.setClock(random.between(-world.settings.skewMs, world.settings.skewMs))
        }
        node.process.skewMs = random.between(-world.settings.skewMs, world.settings.skewMs)
        return
      case 'wipe-primary':
      case 'wipe-backup':
        if (world.lostDisk) return
        world.lostDisk = true
        return world.databases[fault === 'wipe-primary' ? 'primary' : 'backup'].wipe()
      case 'wipe-log':
        return this.#wipeLog(node)
      case 'cache-out':
        world.cache.isUp = false
        return this.#later(ms, () => {
          world.cache.isUp = true
        })
      case 'cache-slow':
        world.cache.slowness = random.pick([5, 20, 60])
        world.cache.dropReply = 0.2
        return this.#later(ms, () => {
          world.cache.slowness = 1
          world.cache.dropReply = 0
        })
      case 'cache-emptied':
        void world.emptyCache()
        return
      case 'wal-out':
      case 'wal-slow':
      case 'wal-hang':
      case 'wal-full':
        return this.#breakLog(node, fault, ms)
    }
  }

  /** Of a log in files only that of one process. */
  #wipeLog({ log }: Node): void {
    const world = this.#world
    const isShared = world.settings.wal === 'redis-stream'
    if (world.lostDisk || (!isShared && log.wipe === undefined)) return
    world.lostDisk = true
    if (isShared) world.redis.wipe()
    else log.wipe!()
  }

  #down(databases: readonly SimulatedDatabase[], ms: number): void {
    for (const database of databases) database.isUp = false
    this.#later(ms, () => {
      for (const database of databases) database.isUp = true
    })
  }

  #pause(database: SimulatedDatabase, ms: number): void {
    database.isPaused = true
    this.#later(ms, () => database.resume())
  }

  #breakLog({ log }: Node, fault: LogFault, ms: number): void {
    log.break(fault)
    this.#later(ms, () => log.heal())
  }

  #kill(node: Node, power: boolean): void {
    if (node.process.life === undefined) return
    const world = this.#world
    world.crashNode(node, power)
    this.#later(this.#random.between(100, 3_000), () => void world.startNode(node))
  }

  #restart(node: Node): void {
    if (node.history === undefined) return
    const world = this.#world
    const life = node.process.life
    const pauseMs = this.#random.between(50, 1_000)
    void world.closeNode(node).then(() => {
      // It may have been killed while it closed; then somebody else starts it again.
      if (life !== undefined) this.#later(pauseMs, () => void world.startNode(node))
    })
  }

  #later(ms: number, run: () => void): void {
    this.#world.kernel.schedule(ms, run)
  }
}
