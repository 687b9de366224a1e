import type { ValueCipher } from '../core/encryption/value-cipher.ts'
import { isStorageError, type StorageError } from '../core/errors.ts'
import { operationBytes, type Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import {
  pendingOf,
  type Lsn,
  type RefusedEntry,
  type SharedWal,
  type WAL,
  type WalAppendOptions,
  type WalEntry,
  type WalOpened,
  type WalStats,
} from './wal.ts'

/**
 * Bytes of entries without their key that are read to get at those behind them. More would not fit into
 * memory where most of a full log waits for a key.
 */
const LOCKED_BYTES_MAX = 64 * 1024 * 1024

/** A log whose values are encrypted before they reach it; keys, ids and stamps stay as they are. */
export class EncryptedWal implements WAL {
  readonly shared?: SharedWal
  readonly erase?: NonNullable<WAL['erase']>
  readonly #inner: WAL
  readonly #cipher: ValueCipher

  constructor(inner: WAL, cipher: ValueCipher) {
    this.#inner = inner
    this.#cipher = cipher
    if (inner.shared !== undefined) this.shared = inner.shared
    if (inner.erase !== undefined) this.erase = inner.erase.bind(inner)
  }

  async open(writer: string): Promise<WalOpened> {
    await this.#cipher.ready()
    return await this.#inner.open(writer)
  }

  async append(operations: readonly Operation[], options?: WalAppendOptions): Promise<Lsn> {
    return await this.#inner.append(
      operations.map((operation) => this.#cipher.encrypt(operation)),
      options,
    )
  }

  async pending(place: DatabasePlace, key: string): Promise<readonly Operation[]> {
    return this.#decrypt(await this.#inner.pending(place, key))
  }

  async pendingOf(
    place: DatabasePlace,
    key: string,
    ids: ReadonlySet<string>,
  ): Promise<readonly Operation[]> {
    return this.#decrypt(await pendingOf(this.#inner, place, key, ids))
  }

  async read(place: DatabasePlace, limit: number): Promise<readonly WalEntry[]> {
    for (let count = limit; ; count *= 2) {
      const entries = await this.#inner.read(place, count)
      const { plain, locked } = await this.#open(place, entries)
      const isMore = entries.length === count && bytesOf(entries) < LOCKED_BYTES_MAX
      if (plain.length === 0 && locked !== undefined && isMore) continue
      if (plain.length === 0 && locked !== undefined) throw locked
      return plain.slice(0, limit)
    }
  }

  acknowledge(place: DatabasePlace, lsns: readonly Lsn[]): void {
    this.#inner.acknowledge(place, lsns)
  }

  release(place: DatabasePlace, lsns: readonly Lsn[]): void {
    this.#inner.release(place, lsns)
  }

  hasPending(place: DatabasePlace, key: string): boolean {
    return this.#inner.hasPending(place, key)
  }

  pendingKeys(place: DatabasePlace): Iterable<string> {
    return this.#inner.pendingKeys(place)
  }

  readable(place: DatabasePlace): number {
    return this.#inner.readable(place)
  }

  oldest(place: DatabasePlace): Lsn | undefined {
    return this.#inner.oldest(place)
  }

  async quarantine(place: DatabasePlace, lsn: Lsn, reason: string): Promise<void> {
    await this.#inner.quarantine(place, lsn, reason)
  }

  async retryQuarantined(place: DatabasePlace): Promise<number> {
    return (await this.#inner.retryQuarantined?.(place)) ?? 0
  }

  async refused(place: DatabasePlace): Promise<readonly RefusedEntry[]> {
    return (await this.#inner.refused?.(place)) ?? []
  }

  resend(place: DatabasePlace): void {
    this.#inner.resend(place)
  }

  isFull(): boolean {
    return this.#inner.isFull()
  }

  formerWriters(): readonly string[] {
    return this.#inner.formerWriters()
  }

  onReadable(listener: (place: DatabasePlace) => void): void {
    this.#inner.onReadable(listener)
  }

  onForgotten(listener: (places: readonly DatabasePlace[]) => void): void {
    this.#inner.onForgotten?.(listener)
  }

  stats(): WalStats {
    return this.#inner.stats()
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  /**
   * Entries that were changed or moved are set aside, one by one. Those whose key is not here stay until
   * it is: `locked` says which one.
   */
  async #open(
    place: DatabasePlace,
    entries: readonly WalEntry[],
  ): Promise<{ readonly plain: WalEntry[]; readonly locked: StorageError | undefined }> {
    const plain: WalEntry[] = []
    let locked: StorageError | undefined
    for (const { lsn, operations } of entries) {
      try {
        plain.push({ lsn, operations: this.#decrypt(operations) })
      } catch (error) {
        if (!isStorageError(error)) throw error
        if (error.code === 'CORRUPT') await this.quarantine(place, lsn, error.message)
        else locked ??= error
      }
    }
    return { plain, locked }
  }

  #decrypt(operations: readonly Operation[]): readonly Operation[] {
    return operations.map((operation) => this.#cipher.decrypt(operation))
  }
}

function bytesOf(entries: readonly WalEntry[]): number {
  let bytes = 0
  for (const { operations } of entries) {
    for (const operation of operations) bytes += operationBytes(operation)
  }
  return bytes
}
