import type { ReplicaBackend } from '../src/backend/replica-backend.ts'
import type { CacheBackend } from '../src/backend/cache-backend.ts'
import { MemoryCache } from '../src/backend/memory/memory-cache.ts'
import { ChatHistory } from '../src/chat/chat-history.ts'
import type { FailpointName } from '../src/core/failpoint.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../src/core/places.ts'
import { CircuitBreakerHealthManager } from '../src/health/circuit-breaker.ts'
import type { HealthManager } from '../src/health/health-manager.ts'
import { SimpleHealthManager } from '../src/health/simple.ts'
import { StorageManager } from '../src/manager/storage-manager.ts'
import { StrategicStorageManager } from '../src/store/strategic-storage-manager.ts'
import { CacheEnhancedReadStrategy } from '../src/strategy/read/cache-enhanced.ts'
import { FailoverReadStrategy } from '../src/strategy/read/failover.ts'
import { PrimaryFirstReadStrategy } from '../src/strategy/read/primary-first.ts'
import type { ReadPort } from '../src/strategy/read/read-port.ts'
import { DualWriteStrategy } from '../src/strategy/write/dual-write.ts'
import { IdempotentWriteStrategy } from '../src/strategy/write/idempotent.ts'
import { WalFirstWriteStrategy } from '../src/strategy/write/wal-first.ts'
import type { WritePort } from '../src/strategy/write/write-port.ts'
import type { WAL } from '../src/wal/wal.ts'
import { WALManager } from '../src/wal/wal-manager.ts'
import type { HistoryRecord } from '../src/testing/history-checker/history.ts'
import { Kernel } from './kernel.ts'
import { RandomSource } from './random-source.ts'
import { RedisHost } from './redis-host.ts'
import { RedisLog } from './redis-log.ts'
import { RemoteCache } from './remote-cache.ts'
import type { CallObserver } from './remote-call.ts'
import { RemoteReplica } from './remote-replica.ts'
import { drawSettings, hasBadClocks, type SimulationSettings } from './settings.ts'
import { SimulatedDatabase } from './simulated-database.ts'
import { serverEnv, SimulatedServer } from './simulated-server.ts'
import { SimulatedProcess, type Life } from './simulated-process.ts'
import { LogStorage } from './simulated-wal.ts'
import type { LogDevice } from './log-device.ts'
import { LogDisk } from './log-disk.ts'

/** Wall clock at the start of every simulation. */
const START_MS: number = Date.UTC(2026, 0, 1)
export const WRITE_TIMEOUT_MS = 2_000
const READ_TIMEOUT_MS = 1_000
/** As many as a read asks for, so that it may come from the cache. */
const CACHED_ITEMS = 1_000
const OPEN_RETRY_MS = 300
const RESTART_MS = 500
/** Longest pause at a failpoint. */
const PAUSE_MS_MAX = 400
const DRAIN_TIMEOUT_MS = 2_000
/** Draining, then calls in flight that end by their own deadlines. */
const CLOSE_MS_MAX = 2 * DRAIN_TIMEOUT_MS + 30_000

/** One process and the store that runs in it. */
export interface Node {
  readonly name: string
  readonly process: SimulatedProcess
  readonly log: LogDevice
  /** Undefined while it is down or still opening. */
  history: ChatHistory | undefined
  /** Known to be going down for good order's sake. */
  closing: boolean
  /** Its log as it was opened last. */
  wal: WAL | undefined
}

export type Tracer = (atMs: number, who: string, what: string, detail?: unknown) => void

/** An operation of a client or a fault, as it was done. */
export interface Step {
  /** The same in every run of the seed, whatever else is left out. */
  readonly id: string
  readonly atMs: number
  readonly text: string
}

export interface WorldOptions {
  readonly tracer?: Tracer
  /** The steps to take and when, in milliseconds; all others are left out. Default: all are taken. */
  readonly keep?: ReadonlyMap<string, number>
  /** Other latencies and pauses for the same steps. Default: 0. */
  readonly luck?: number
}

/** Everything that a seed makes: servers, processes, their disks, and the history so far. */
export class World {
  readonly kernel: Kernel = new Kernel()
  readonly seed: number
  readonly settings: SimulationSettings
  readonly databases: Readonly<Record<DatabasePlace, SimulatedDatabase>>
  /** One cache and one Redis, for settings that use them. */
  readonly cache: SimulatedServer<MemoryCache>
  readonly redis: RedisHost
  readonly nodes: readonly Node[]
  readonly records: HistoryRecord[] = []
  /** Errors of background tasks that nobody expects. */
  readonly surprises: string[] = []
  /** Operations and faults so far. */
  readonly steps: Step[] = []
  readonly keep: ReadonlyMap<string, number> | undefined
  readonly #tracer: Tracer | undefined
  readonly #luck: string
  lostDisk = false
  #healed = false
  faults = 0

  constructor(seed: number, given: Partial<SimulationSettings>, options: WorldOptions = {}) {
    const { tracer, keep, luck = 0 } = options
    this.#luck = luck === 0 ? '' : ` luck ${luck}`
    this.keep = keep
    this.seed = seed
    this.settings = drawSettings(new RandomSource(seed, 'settings'), given)
    this.#tracer = tracer
    const database = (name: DatabasePlace): SimulatedDatabase =>
      new SimulatedDatabase(this.kernel, name, this.#chance(name), START_MS)
    this.databases = { primary: database('primary'), backup: database('backup') }
    const chance = this.#chance('cache')
    const cache = new MemoryCache(
      {},
      serverEnv(this.kernel, chance, () => this.kernel.now),
    )
    this.cache = new SimulatedServer(this.kernel, 'cache', chance, cache)
    this.redis = new RedisHost({
      kernel: this.kernel,
      random: this.#chance('redis'),
      startMs: START_MS,
      fsync: this.settings.fsync,
    })
    this.nodes = Array.from({ length: this.settings.processes }, (_, i) => this.#makeNode(i))
  }

  say(who: string, what: string, detail?: unknown): void {
    this.#tracer?.(this.kernel.now, who, what, detail)
  }

  /** Writes down what is about to be done. */
  takesStep(id: string, text: string): void {
    this.steps.push({ id, atMs: this.kernel.now, text })
    this.say(id, text)
  }

  /** For servers that a seed may use, before anything runs. */
  async startServers(): Promise<void> {
    for (const place of DATABASE_PLACES) await this.databases[place].start()
    await this.cache.content.connect()
  }

  /** The cache is started again: nothing is in it. */
  async emptyCache(): Promise<void> {
    await this.cache.content.disconnect()
    await this.cache.content.connect()
  }

  /** Starts a node and goes on trying until it is open or has crashed. */
  async startNode(node: Node): Promise<void> {
    if (node.process.life !== undefined) return
    const life = node.process.start()
    node.closing = false
    while (life.isAlive) {
      const history = new ChatHistory(this.#makeStore(node, life))
      try {
        await history.store.connect()
        // Killed at the very moment.
        if (!life.isAlive) return
        node.history = history
        this.say(node.name, 'open', { writer: history.status().writer })
        return
      } catch (error) {
        this.say(node.name, 'open failed', error)
        await new Promise<void>((resolve) => {
          life.env.setTimer(OPEN_RETRY_MS, resolve)
        })
      }
    }
  }

  crashNode(node: Node, power: boolean): void {
    this.say(node.name, power ? 'POWER CUT' : 'KILLED')
    node.process.crash()
    node.history = undefined
    node.log.crash(power)
  }

  /** Ends a node in good order. */
  async closeNode(node: Node): Promise<void> {
    const { history } = node
    if (history === undefined) return
    this.say(node.name, 'closing')
    node.closing = true
    node.history = undefined
    const startMs = this.kernel.now
    await history.close()
    const tookMs = Math.round(this.kernel.now - startMs)
    this.say(node.name, 'closed', { tookMs })
    if (tookMs > CLOSE_MS_MAX) this.surprises.push(`${node.name} took ${tookMs} ms to close`)
    node.process.crash()
  }

  #chance(stream: string): RandomSource {
    return new RandomSource(this.seed, stream + this.#luck)
  }

  #makeNode(index: number): Node {
    const { kernel, settings } = this
    const name = nameOf(index)
    const random = this.#chance(name)
    const logRandom = this.#chance(`${name} log`)
    const log = this.#makeLog(index, logRandom)
    const process = new SimulatedProcess({
      kernel,
      index,
      random,
      startMs: START_MS,
      disk: (life) => log.attach(life),
      failpoints: (life) => ({
        hit: (point) => this.#atFailpoint(this.nodes[index]!, life, logRandom, point),
      }),
    })
    process.skewMs = random.between(-settings.skewMs, settings.skewMs)
    return { name, process, log, history: undefined, closing: false, wal: undefined }
  }

  #makeLog(index: number, random: RandomSource): LogDevice {
    const { kernel, settings } = this
    switch (settings.wal) {
      case 'file':
        return new LogDisk(kernel, random, START_MS, hasBadClocks(settings))
      case 'redis-stream':
        return new RedisLog({
          host: this.redis,
          from: index,
          random,
          partitions: settings.partitions,
          memoryBytesMax: settings.memoryBytesMax,
          pendingBytesMax: settings.pendingBytesMax,
          observe: this.#observer(nameOf(index), 'redis'),
        })
      case 'simulated':
        return new LogStorage(random, settings.canary === 'lying-log')
    }
  }

  #observer(who: string, server: string): CallObserver | undefined {
    if (this.#tracer === undefined) return undefined
    return (call, detail, outcome, result) =>
      this.say(who, `  ${server} ${call} ${outcome}`, outcome === 'sent' ? detail : result)
  }

  /** A pause, the end of the process, or mostly nothing. */
  #atFailpoint(
    node: Node,
    life: Life,
    random: RandomSource,
    point: FailpointName,
  ): void | Promise<void> {
    const { pauses, deaths } = this.settings
    if (this.#healed || !life.isAlive) return
    if (random.chance(deaths)) {
      this.say(node.name, `dies at ${point}`)
      this.crashNode(node, false)
      this.kernel.schedule(RESTART_MS, () => void this.startNode(node))
      return new Promise(() => {})
    }
    if (!random.chance(pauses)) return
    return new Promise((resolve) => {
      life.env.setTimer(random.between(0, PAUSE_MS_MAX), resolve)
    })
  }

  #makeStore(node: Node, life: Life): StrategicStorageManager {
    const { env } = life
    const manager = (name: DatabasePlace): StorageManager =>
      new StorageManager(
        {
          database: this.#remote(node, life, name),
          cache:
            this.settings.read === 'cache-enhanced'
              ? this.#remoteCache(node, life)
              : new MemoryCache({}, env),
          name,
          connectTimeoutMs: 1_000,
        },
        env,
      )
    node.wal = node.log.createWal(env)
    const log = new WALManager(env, node.wal, {
      flushIntervalMs: this.settings.flushIntervalMs,
    })
    const store = new StrategicStorageManager(
      {
        primary: manager('primary'),
        backup: manager('backup'),
        env,
        connectTimeout: 1_000,
        drainTimeout: DRAIN_TIMEOUT_MS,
        probeTimeout: 1_000,
      },
      this.#reading(),
      this.#writing(),
      this.#health(life),
      log,
    )
    store.on('error', ({ task, error }) => this.say(node.name, `background ${task}`, error))
    store.on('conflict', (event) => this.say(node.name, 'conflict', event))
    store.on('replica-changed', (event) => this.say(node.name, 'replica-changed', event))
    store.on('reconciled', (event) => this.say(node.name, 'reconciled', event))
    return store
  }

  #remote(node: Node, life: Life, place: DatabasePlace): ReplicaBackend {
    const observe = this.#observer(node.name, place)
    return new RemoteReplica(this.databases[place], life, node.process.index, observe)
  }

  #remoteCache(node: Node, life: Life): CacheBackend {
    const observe = this.#observer(node.name, 'cache')
    return new RemoteCache(this.cache, { life, from: node.process.index, observe })
  }

  #reading(): ReadPort {
    const config = { timeout: READ_TIMEOUT_MS }
    switch (this.settings.read) {
      case 'primary-first':
        return new PrimaryFirstReadStrategy(config)
      case 'failover':
        return new FailoverReadStrategy(config)
      case 'cache-enhanced':
        return new CacheEnhancedReadStrategy({ ...config, windowSize: CACHED_ITEMS })
    }
  }

  #writing(): WritePort {
    const config = { timeout: WRITE_TIMEOUT_MS }
    switch (this.settings.write) {
      case 'idempotent':
        return new IdempotentWriteStrategy(config)
      case 'wal-first':
        return new WalFirstWriteStrategy(config)
      case 'dual-write':
        return new DualWriteStrategy(config)
    }
  }

  #health({ env }: Life): HealthManager {
    return this.settings.health === 'simple'
      ? new SimpleHealthManager(env)
      : new CircuitBreakerHealthManager(env)
  }

  /** Undoes all faults. Processes that are down stay so. */
  heal(): void {
    this.say('world', 'HEALED')
    this.#healed = true
    for (const place of DATABASE_PLACES) this.databases[place].heal()
    this.cache.heal()
    for (const { log } of this.nodes) log.heal()
  }
}

function nameOf(index: number): string {
  return `p${index}`
}
