import {
  callOf,
  ForwardingBackend,
  type Answer,
  type CallName,
  type Given,
} from '../backend/forwarding-backend.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  Durability,
  ReplicaBackend,
} from '../backend/replica-backend.ts'
import { missingKey, neededKey } from '../core/encryption/envelope.ts'
import type { Env } from '../core/env.ts'
import { StorageError } from '../core/errors.ts'
import { KeepAlive } from '../core/keep-alive.ts'
import type { Operation } from '../core/operation.ts'
import { STAMP_LIMIT } from '../core/stamp.ts'
import type { ManagedEngine } from './managed-engine.ts'

const NEVER_CONNECTED: Durability = {
  durable: false,
  reasons: ['not connected yet'],
  unknown: true,
}

/**
 * The database of a `StorageManager`, there from the start. While no engine is connected each call
 * rejects with `CONNECTION` and effect `none`, after `disconnect` with `CLOSED`.
 */
export class ManagedDatabase extends ForwardingBackend {
  readonly #engine: ManagedEngine<ReplicaBackend>
  readonly #alive: KeepAlive

  constructor(engine: ManagedEngine<ReplicaBackend>, env: Env) {
    super(env)
    this.#engine = engine
    this.#alive = KeepAlive.of(env)
  }

  connect(): Promise<void> {
    return this.#engine.connect()
  }

  disconnect(): Promise<void> {
    return this.#engine.disconnect()
  }

  isConnected(): boolean {
    return this.#engine.isConnected()
  }

  getBackendType(): string {
    return this.#engine.getBackendType()
  }

  getDurability(): Durability {
    return this.#engine.live?.getDurability() ?? NEVER_CONNECTED
  }

  getServerIds(): readonly string[] {
    return this.#engine.live?.getServerIds?.() ?? []
  }

  override async apply(
    operations: readonly Operation[],
    options?: ApplyOptions,
  ): Promise<ApplyResult> {
    refuseLastStamps(operations)
    refuseEncrypted(operations)
    return await this.forward('apply', [operations], options)
  }

  override async repair(operations: readonly Operation[], options?: CallOptions): Promise<number> {
    refuseEncrypted(operations)
    return await super.repair(operations, options)
  }

  override async purge(options?: CallOptions): Promise<readonly string[]> {
    const engine = this.inner()
    if (engine.purge !== undefined) return await super.purge(options)
    return [
      `whatever ${engine.getBackendType()} keeps of removed values: it cannot be told to purge`,
    ]
  }

  protected inner(): ReplicaBackend {
    return this.#engine.current()
  }

  /** An engine of the application's own may wait for nothing that keeps a process alive. */
  protected override async forward<Name extends CallName>(
    name: Name,
    given: Given<Name>,
    options: CallOptions | undefined,
  ): Promise<Answer<Name>> {
    const engine = this.#engine.current()
    // Hints are fetched in the background, too: that holds up no process.
    if (name === 'readHints') return await callOf(engine, name, given, options)
    this.#alive.begin()
    try {
      return await callOf(engine, name, given, options)
    } finally {
      this.#alive.end()
    }
  }
}

/**
 * Refuses what another database, or a log from elsewhere, brings with a stamp that no clock can follow:
 * once it is stored, its key could never be written again.
 */
function refuseLastStamps(operations: readonly Operation[]): void {
  const last = operations.find(({ stamp }) => stamp >= STAMP_LIMIT)
  if (last === undefined) return
  const text = `the stamp ${last.stamp} of key ${JSON.stringify(last.key)} is of no clock's time`
  throw new StorageError('REJECTED', text)
}

/**
 * Refuses what a process without keys read from an encrypted place: in another one it would pass for the
 * plain value. A database that is encrypted does that below this, so no encrypted value comes by here.
 */
function refuseEncrypted(operations: readonly Operation[]): void {
  for (const operation of operations) {
    const key = 'value' in operation ? neededKey(operation.value) : undefined
    if (key !== undefined) throw new StorageError('REJECTED', missingKey(key))
  }
}
