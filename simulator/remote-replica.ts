import {
  callOf,
  ForwardingBackend,
  type Answer,
  type CallName,
  type Given,
} from '../src/backend/forwarding-backend.ts'
import type { MemoryBackend } from '../src/backend/memory/memory-backend.ts'
import type {
  CallOptions,
  Durability,
  ReplicaBackend,
  StoredOperation,
} from '../src/backend/replica-backend.ts'
import type { StampRange } from '../src/core/digest.ts'
import { StorageError } from '../src/core/errors.ts'
import { remoteCall, type Caller, type CallObserver } from './remote-call.ts'
import type { SimulatedDatabase } from './simulated-database.ts'
import type { Life } from './simulated-process.ts'

const TIMEOUT_MS = 10_000

/** A simulated database as one life of a process sees it: through a network, with deadlines. */
export class RemoteReplica extends ForwardingBackend {
  readonly #database: SimulatedDatabase
  readonly #caller: Caller
  #connected = false

  constructor(
    database: SimulatedDatabase,
    life: Life,
    from: number,
    observe: CallObserver | undefined,
  ) {
    super(life.env)
    this.#database = database
    this.#caller = { life, from, observe }
  }

  getBackendType(): string {
    return 'simulated'
  }

  /** The simulated server keeps what it applied. */
  getDurability(): Durability {
    return { durable: true, reasons: ['simulated'] }
  }

  async connect(): Promise<void> {
    await this.#call('connect', [], undefined, async () => {})
    this.#connected = true
  }

  async disconnect(): Promise<void> {
    this.#connected = false
  }

  isConnected(): boolean {
    return this.#connected
  }

  protected inner(): ReplicaBackend {
    if (this.#connected) return this.#database.backend
    throw new StorageError('CLOSED', 'the simulated database is not connected')
  }

  /** What reaches the server has no deadline: the caller keeps that. */
  protected override async forward<Name extends CallName>(
    name: Name,
    given: Given<Name>,
    options: CallOptions = {},
  ): Promise<Answer<Name>> {
    this.inner()
    const { signal: _signal, deadline: _deadline, timeoutMs, ...rest } = options
    const detail = name === 'apply' ? [...given, rest] : given
    return await this.#call(name, detail, timeoutMs, (backend) =>
      callOf(backend, name, given, rest),
    )
  }

  override async *scanStored(
    range: StampRange,
    options?: CallOptions,
  ): AsyncGenerator<StoredOperation> {
    this.inner()
    yield* await this.#call('scan', [range], options?.timeoutMs, async (backend) => {
      const found: StoredOperation[] = []
      for await (const stored of backend.scanStored(range)) found.push(stored)
      return found
    })
  }

  async #call<T>(
    name: string,
    detail: readonly unknown[],
    timeoutMs = TIMEOUT_MS,
    run: (backend: MemoryBackend) => Promise<T>,
  ): Promise<T> {
    return await remoteCall(this.#database, this.#caller, { name, detail, timeoutMs }, run)
  }
}
