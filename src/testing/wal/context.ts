import { expect, onTestFinished } from 'vitest'
import { isStorageError, type Effect, type StorageErrorCode } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { Lsn, WAL, WalEntry } from '../../wal/wal.ts'

export interface WalLimits {
  /** Bytes that may be pending. The log may take a little more. */
  readonly pendingBytesMax?: number
}

/** One storage and the logs on it, one after another. */
export interface WalFixture {
  /** A log that is not open. It finds what those before it left, once they are closed. */
  readonly create: (limits?: WalLimits) => WAL
  /** Removes the storage. */
  readonly dispose?: () => Promise<void>
}

export interface WalConformanceOptions {
  /** Names the log in the titles. */
  readonly name: string
  /** A new and empty storage. */
  readonly open: () => Promise<WalFixture>
  /** What was acknowledged is there when a second log is opened. Default: true. */
  readonly persistent?: boolean
  /** Rounds of each property test. Default: 30. */
  readonly propertyRuns?: number
}

export interface WalContext {
  readonly persistent: boolean
  readonly propertyRuns: number
  /** An open log on a storage of its own; closed when the test ends. */
  readonly setup: (limits?: WalLimits) => Promise<WAL>
  /** A storage of its own; removed when the test ends. */
  readonly storage: () => Promise<WalFixture>
  readonly open: () => Promise<WalFixture>
}

/** What `StampClock.writerId` looks like. */
export const WRITER = '8000-000000000001'

export function walContext({
  open,
  persistent = true,
  propertyRuns = 30,
}: WalConformanceOptions): WalContext {
  const storage = async (): Promise<WalFixture> => {
    const fixture = await open()
    onTestFinished(async () => await fixture.dispose?.())
    return fixture
  }
  return {
    persistent,
    propertyRuns,
    open,
    storage,
    setup: async (limits) => {
      const fixture = await storage()
      const wal = fixture.create(limits)
      await wal.open(WRITER)
      onTestFinished(async () => await wal.close())
      return wal
    },
  }
}

/** The call rejects with a `StorageError` of this code and effect. */
export async function refuses(
  call: Promise<unknown>,
  code: StorageErrorCode,
  effect: Effect = 'none',
): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isStorageError(error, code), `expected ${code}, got ${String(error)}`).toBe(true)
  if (isStorageError(error)) expect(error.effect).toBe(effect)
}

/** Everything that could be given out for a place. */
export async function readAll(wal: WAL, place: DatabasePlace): Promise<readonly WalEntry[]> {
  return await wal.read(place, 1_000_000)
}

export async function readLsns(wal: WAL, place: DatabasePlace): Promise<readonly Lsn[]> {
  return (await readAll(wal, place)).map(({ lsn }) => lsn)
}

export async function readOperations(
  wal: WAL,
  place: DatabasePlace,
): Promise<readonly Operation[]> {
  return (await readAll(wal, place)).flatMap(({ operations }) => operations)
}

export function pendingKeys(wal: WAL, place: DatabasePlace): readonly string[] {
  return [...wal.pendingKeys(place)].sort()
}
