import type { ReplicaBackend } from '../../../src/backend/replica-backend.ts'
import { ChatHistory } from '../../../src/chat/chat-history.ts'
import { conversationKey } from '../../../src/chat/keys.ts'
import type { Env } from '../../../src/core/env.ts'
import { effectOf, messageOf, StorageError } from '../../../src/core/errors.ts'
import { FAILPOINTS, type FailpointName } from '../../../src/core/failpoint.ts'
import { itemValue } from '../../../src/core/merge.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../../src/core/places.ts'
import { STAMP_MAX, STAMP_MIN } from '../../../src/core/stamp.ts'
import { sleep } from '../../../src/core/time.ts'
import { CircuitBreakerHealthManager } from '../../../src/health/circuit-breaker.ts'
import { StorageManager } from '../../../src/manager/storage-manager.ts'
import { StrategicStorageManager } from '../../../src/store/strategic-storage-manager.ts'
import { PrimaryFirstReadStrategy } from '../../../src/strategy/read/primary-first.ts'
import { DualWriteStrategy } from '../../../src/strategy/write/dual-write.ts'
import { IdempotentWriteStrategy } from '../../../src/strategy/write/idempotent.ts'
import { WalFirstWriteStrategy } from '../../../src/strategy/write/wal-first.ts'
import { DurableMemoryBackend } from '../../../src/testing/durable-memory-backend.ts'
import { checkHistory } from '../../../src/testing/history-checker/check-history.ts'
import type { HistoryRecord, Violation } from '../../../src/testing/history-checker/history.ts'
import {
  SimulatedDisk,
  type AttachedDisk,
  type SimulatedOperation,
} from '../../../src/testing/simulated-disk.ts'
import { seededRandom, virtualEnv, type VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { FileWal } from '../../../src/wal/file/file-wal.ts'
import { WALManager } from '../../../src/wal/wal-manager.ts'

/** How a call of a database goes wrong. */
export type CallFault = 'refused' | 'hangs' | 'reply lost' | 'reset after it was done'

/** One thing that goes wrong, once, in the first life of the process. */
export type Way =
  | { readonly kind: 'disk'; readonly operation: SimulatedOperation; readonly code: string }
  /** The power goes at that operation of the disk. */
  | { readonly kind: 'power' }
  | { readonly kind: 'call'; readonly place: DatabasePlace; readonly fault: CallFault }
  /** The process is killed there, in its first life or in a second one that takes over its log. */
  | { readonly kind: 'kill'; readonly point: FailpointName }

export type WriteName = 'idempotent' | 'wal-first' | 'dual-write'

export interface Outcome {
  /** False when there was no such operation: the scenario passed untouched. */
  readonly isStruck: boolean
  readonly violations: readonly Violation[]
  readonly acknowledged: number
}

const TIMEOUT_MS = 1_000
const CALL_MS_MAX = 60_000
/** How long a process lives on when its disk answers no more. */
const OFF_MS = 5_000
const START_MS = Date.UTC(2026, 0, 1)
const DIRECTORY = '/wal'
/** Small, so that segments fill up and others begin. */
const SEGMENT_BYTES = 4_096
const PADDING = 'x'.repeat(400)

/** Counts the calls of one database, and lets one of them go wrong. */
class CallGate {
  readonly #env: () => Env
  readonly #failing: number
  readonly #fault: CallFault | undefined
  count = 0
  /** The process was killed: what it asks from now on reaches nobody. */
  isCut = false
  /** Every call is refused. */
  isOut = false

  constructor(env: () => Env, failing = -1, fault?: CallFault) {
    this.#env = env
    this.#failing = failing
    this.#fault = fault
  }

  wrap(backend: ReplicaBackend): ReplicaBackend {
    const calls = new Set(['apply', 'readItems', 'readItemsById', 'readRegister', 'readState'])
    for (const name of ['removeHints', 'trust', 'lease', 'digest', 'connect']) calls.add(name)
    return new Proxy(backend, {
      get: (target, name: string) => {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        const method = (member as (...args: unknown[]) => Promise<unknown>).bind(target)
        return calls.has(name) ? (...args: unknown[]) => this.#call(() => method(...args)) : method
      },
    })
  }

  async #call(run: () => Promise<unknown>): Promise<unknown> {
    if (this.isCut) return await new Promise(() => {})
    if (this.isOut) throw new StorageError('CONNECTION', 'out', { effect: 'none' })
    if (this.count++ !== this.#failing) return await run()
    switch (this.#fault!) {
      case 'refused':
        throw new StorageError('CONNECTION', 'refused', { effect: 'none' })
      case 'reset after it was done':
        await run()
        throw new StorageError('UNAVAILABLE', 'reset', { effect: 'unknown' })
      case 'reply lost':
        await run()
        return await this.#noAnswer()
      case 'hangs':
        return await this.#noAnswer()
    }
  }

  async #noAnswer(): Promise<never> {
    await sleep(this.#env(), TIMEOUT_MS)
    throw new StorageError('TIMEOUT', 'no answer', { effect: 'unknown' })
  }
}

/** The scenario with one fault: the `i`-th operation of that kind. */
export async function runScenario(write: WriteName, way: Way, i: number): Promise<Outcome> {
  return await new Scenario(write, way, i).run()
}

class Scenario {
  readonly #write: WriteName
  readonly #way: Way
  readonly #i: number
  readonly #disk: SimulatedDisk
  readonly #databases: Readonly<Record<DatabasePlace, DurableMemoryBackend>>
  readonly #records: HistoryRecord[] = []
  readonly #notes: string[] = []
  #env!: VirtualEnv
  #attached!: AttachedDisk
  #passedMs = 0
  #incarnation = 0
  #hits = 0
  #isDead = false

  constructor(write: WriteName, way: Way, i: number) {
    this.#write = write
    this.#way = way
    this.#i = i
    this.#disk = new SimulatedDisk({ now: () => this.#env.now() })
    const env = virtualEnv({ startMs: START_MS })
    const servers = { ...env, now: () => this.#env.now() }
    this.#databases = {
      primary: new DurableMemoryBackend(servers),
      backup: new DurableMemoryBackend(servers),
    }
  }

  async run(): Promise<Outcome> {
    const isStruck = this.#way.kind === 'kill' ? await this.#killedLives() : await this.#firstLife()
    this.#disk.heal()
    await this.#lastLife()
    const places = {
      primary: await this.#dump('primary'),
      backup: await this.#dump('backup'),
    }
    return {
      isStruck,
      violations: checkHistory(
        { records: this.#records, places, leftovers: this.#notes },
        { clockToleranceMs: 2, deadlineMs: 4 * TIMEOUT_MS },
      ),
      acknowledged: this.#records.filter(({ kind, outcome }) => kind !== 'read' && outcome === 'ok')
        .length,
    }
  }

  /** True when the fault struck. */
  async #firstLife(): Promise<boolean> {
    const way = this.#way
    const i = this.#i
    if (way.kind === 'disk') this.#disk.fail(way.operation, { code: way.code, skip: i })
    if (way.kind === 'power') this.#disk.stopAfter(i)
    const gates = this.#gates()
    const history = this.#open(gates)
    // It starts with what there is, and goes on trying.
    await this.#settle(history.store.connect(), 'connect')
    await this.#calls(history)
    const isOff = way.kind === 'power' && this.#disk.isStopped
    if (!isOff) await this.#settle(history.close(), 'close')
    const struck =
      way.kind === 'disk'
        ? this.#disk.count(way.operation) > i
        : way.kind === 'call'
          ? gates[way.place].count > i
          : this.#disk.isStopped
    if (way.kind === 'power') this.#disk.crash(seededRandom(i + 1))
    return struck
  }

  /** Two lives that both end by a kill, the second while it cares for what the first one left. */
  async #killedLives(): Promise<boolean> {
    for (let life = 0; life < 2; life++) {
      this.#incarnation = life
      const gates = this.#gates()
      const history = this.#open(gates)
      await this.#settle(history.store.connect(), 'connect')
      if (life === 0) await this.#calls(history, gates.primary)
      else {
        await this.#append(history, 'second')
        await this.#settle(history.close(), 'close')
      }
      const isStruck = this.#isDead
      this.#die(gates)
      if (isStruck) return true
    }
    return false
  }

  #die(gates: Record<DatabasePlace, CallGate>): void {
    this.#attached.kill()
    for (const place of DATABASE_PLACES) gates[place].isCut = true
    this.#isDead = false
  }

  async #lastLife(): Promise<void> {
    this.#incarnation++
    const history = this.#open()
    for (const step of [
      () => history.store.connect(),
      () => history.flush(),
      () => history.reconcile(),
    ]) {
      const error = await this.#settle(step(), 'the last life')
      if (error !== undefined) this.#notes.push(`the last life: ${messageOf(error)}`)
    }
    await this.#read(history, true)
    await this.#settle(history.close(), 'close')
  }

  // ---- the store

  #gates(): Record<DatabasePlace, CallGate> {
    const way = this.#way
    const gate = (place: DatabasePlace): CallGate =>
      way.kind === 'call' && way.place === place
        ? new CallGate(() => this.#env, this.#i, way.fault)
        : new CallGate(() => this.#env)
    return { primary: gate('primary'), backup: gate('backup') }
  }

  #open(gates?: Record<DatabasePlace, CallGate>): ChatHistory {
    const pid = 100 + this.#incarnation
    const self = { bootId: 'boot', pidNamespace: '1', pid, startTime: `${pid}` }
    this.#attached = this.#disk.attach()
    const env = virtualEnv({
      seed: pid,
      startMs: START_MS + this.#passedMs,
      disk: this.#attached,
      failpoints: { hit: (name) => this.#atFailpoint(name, gates) },
      process: { self, state: (other) => (other.pid === pid ? 'alive' : 'dead') },
    })
    this.#env = env
    const manager = (name: DatabasePlace): StorageManager => {
      const database = this.#databases[name]
      const config = { database: gates?.[name].wrap(database) ?? database, name }
      return new StorageManager({ ...config, connectTimeoutMs: TIMEOUT_MS }, env)
    }
    const options = { timeout: TIMEOUT_MS }
    const strategies = {
      idempotent: () => new IdempotentWriteStrategy(options),
      'wal-first': () => new WalFirstWriteStrategy(options),
      'dual-write': () => new DualWriteStrategy(options),
    }
    const wal = new FileWal(env, { directory: DIRECTORY, segmentBytes: SEGMENT_BYTES })
    const store = new StrategicStorageManager(
      {
        primary: manager('primary'),
        backup: manager('backup'),
        env,
        connectTimeout: TIMEOUT_MS,
        probeTimeout: TIMEOUT_MS,
        drainTimeout: 2 * TIMEOUT_MS,
      },
      new PrimaryFirstReadStrategy(options),
      strategies[this.#write](),
      new CircuitBreakerHealthManager(env, { circuitOpenDuration: 1_000 }),
      new WALManager(env, wal, { flushIntervalMs: 500 }),
    )
    return new ChatHistory(store)
  }

  #atFailpoint(
    name: FailpointName,
    gates: Record<DatabasePlace, CallGate> | undefined,
  ): void | Promise<void> {
    const way = this.#way
    if (way.kind !== 'kill' || way.point !== name || gates === undefined) return
    if (this.#hits++ !== this.#i) return
    this.#die(gates)
    this.#isDead = true
    return new Promise(() => {})
  }

  // ---- the calls

  /** @param primary Is out for two saves, one with an id, where the way is through one to the backup. */
  async #calls(history: ChatHistory, primary?: CallGate): Promise<void> {
    const kept: string[] = []
    for (let n = 0; n < 12; n++) {
      const isOut =
        this.#way.kind === 'kill' &&
        this.#way.point === 'write.afterBackup' &&
        (n === 9 || n === 11)
      if (primary !== undefined) primary.isOut = isOut
      const id = n % 3 === 2 ? `own-${n}` : undefined
      const saved = await this.#append(history, `m${n}`, id)
      if (saved !== undefined) kept.push(saved)
      if (n === 3) await this.#clear(history)
      if (n === 5 && kept.length > 0) await this.#edit(history, kept.at(-1)!, 'e5')
      if (n === 6) await this.#group(history)
      if (n === 7 && kept.length > 0) await this.#remove(history, kept.at(-1)!)
      if (n % 4 === 0) await this.#read(history, false)
      // The workers have their turn.
      await this.#advance(n === 8 ? 3_000 : 30)
    }
    await this.#read(history, false)
  }

  async #append(history: ChatHistory, content: string, id?: string): Promise<string | undefined> {
    const given = { content, ...(id !== undefined && { id, callersId: true }) }
    const record = this.#begin({ kind: 'append', ...given })
    await this.#finish(record, async () => {
      const message = {
        role: 'user',
        content,
        metadata: { padding: PADDING },
        ...(id !== undefined && { id }),
      } as const
      const receipt = await history.saveMessage('c', message)
      return { id: receipt.id, position: receipt.position, copies: receipt.copies }
    })
    return record['outcome'] === 'ok' ? (record['id'] as string) : undefined
  }

  async #group(history: ChatHistory): Promise<void> {
    const contents = ['g1', 'g2', 'g3']
    const records = contents.map((content) =>
      this.#begin({ kind: 'append', content, group: 'group' }),
    )
    let receipts: readonly object[] = []
    await this.#finish(records[0]!, async () => {
      const messages = contents.map((content) => ({ role: 'user' as const, content }))
      const found = await history.saveMessages('c', messages)
      receipts = found.map(({ id, position, copies }) => ({ id, position, copies }))
      return receipts[0]!
    })
    const { outcome, settledMs, abandoned } = records[0]!
    const end = abandoned === true ? { abandoned } : { outcome, settledMs }
    records.forEach((record, n) => Object.assign(record, end, receipts[n]))
  }

  async #edit(history: ChatHistory, id: string, content: string): Promise<void> {
    await this.#finish(this.#begin({ kind: 'edit', id, content }), async () => {
      const { copies } = await history.updateMessage('c', id, { role: 'user', content })
      return { copies }
    })
  }

  async #remove(history: ChatHistory, id: string): Promise<void> {
    await this.#finish(this.#begin({ kind: 'remove', id }), async () => {
      const { copies } = await history.deleteMessage('c', id)
      return { copies }
    })
  }

  async #clear(history: ChatHistory): Promise<void> {
    await this.#finish(this.#begin({ kind: 'clear' }), async () => {
      const { copies } = await history.clearHistory('c')
      return { copies }
    })
  }

  async #read(history: ChatHistory, final: boolean): Promise<void> {
    const given = { kind: 'read', final, paged: false, messages: [], complete: false }
    await this.#finish(this.#begin(given), async () => {
      const key = conversationKey('', 'c')
      const found = await history.store.readItems({ key, limit: 1_000, order: 'oldest' })
      const messages = found.items.map((item) => {
        const { content } = JSON.parse(itemValue(item)!) as { content: string }
        return { id: item.id, position: item.position, content }
      })
      return { messages, complete: found.complete }
    })
  }

  // ---- recording

  #begin(given: object): Record<string, unknown> {
    const record: Record<string, unknown> = {
      client: 'c',
      process: 'p',
      incarnation: this.#incarnation,
      conversation: 'c',
      startMs: this.#nowMs(),
      outcome: 'unknown',
      ...given,
    }
    // Nobody is left to call.
    if (!this.#isDead) this.#records.push(record as unknown as HistoryRecord)
    return record
  }

  async #finish(record: Record<string, unknown>, run: () => Promise<object>): Promise<void> {
    let result: object = {}
    if (this.#isDead) return
    // No two calls at one moment: the checker tells by the times what came first.
    await this.#advance(1)
    const error = await this.#settle(
      run().then((found) => (result = found)),
      String(record['kind']),
    )
    const outcome = error === undefined ? 'ok' : effectOf(error)
    await this.#advance(1)
    if (this.#isDead) {
      Object.assign(record, { abandoned: true })
      return
    }
    Object.assign(record, result, { outcome, settledMs: this.#nowMs() })
  }

  #nowMs(): number {
    return this.#passedMs
  }

  async #advance(ms: number): Promise<void> {
    await this.#env.advance(ms)
    this.#passedMs += ms
  }

  /** The error, if there was one. Time goes on meanwhile. */
  async #settle(promise: Promise<unknown>, what: string): Promise<unknown> {
    const end: { done: boolean; error: unknown } = { done: false, error: undefined }
    promise.then(
      () => (end.done = true),
      (error: unknown) => {
        end.done = true
        end.error = error
      },
    )
    if (this.#isDead) return new StorageError('CLOSED', 'killed', { effect: 'unknown' })
    await this.#env.settle()
    const isOver = (): boolean => end.done
    for (let spentMs = 0; !isOver() && !this.#isDead; spentMs += 10) {
      const isOff = this.#disk.isStopped
      if (spentMs >= (isOff ? OFF_MS : CALL_MS_MAX)) {
        // Whoever opens or closes waits for the disk, and this one has no power any more.
        if (!isOff) this.#notes.push(`${what} took more than ${CALL_MS_MAX} ms`)
        return new StorageError('TIMEOUT', what, { effect: 'unknown' })
      }
      await this.#advance(10)
    }
    if (end.error !== undefined && !(end.error instanceof StorageError)) {
      this.#notes.push(`${what}: ${messageOf(end.error)}`)
    }
    return end.error
  }

  async #dump(place: DatabasePlace): Promise<string> {
    const backend = this.#databases[place]
    await backend.connect()
    const lines: string[] = []
    for await (const operation of backend.scan({ from: STAMP_MIN, to: STAMP_MAX })) {
      const isRemoval = operation.kind === 'put' && operation.change === 'remove'
      lines.push(JSON.stringify(isRemoval ? { ...operation, position: '', stamp: '' } : operation))
    }
    return lines.sort().join('\n')
  }
}

/** Every way, for each database. */
export const WAYS: readonly Way[] = [
  ...(['write', 'sync', 'sync-directory', 'rename', 'create', 'remove'] as const).map(
    (operation): Way => ({ kind: 'disk', operation, code: 'EIO' }),
  ),
  ...(['write', 'create'] as const).map((operation): Way => ({
    kind: 'disk',
    operation,
    code: 'ENOSPC',
  })),
  { kind: 'power' },
  // The scenario comes by these; the others have tests of their own.
  ...FAILPOINTS.filter((point) => /^(wal|write|flush)\.(?!erase)/.test(point)).map(
    (point): Way => ({
      kind: 'kill',
      point,
    }),
  ),
  ...DATABASE_PLACES.flatMap((place) =>
    (['refused', 'hangs', 'reply lost', 'reset after it was done'] as const).map((fault): Way => ({
      kind: 'call',
      place,
      fault,
    })),
  ),
]
