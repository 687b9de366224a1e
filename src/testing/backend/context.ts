import { expect, onTestFinished } from 'vitest'
import type { Verdict } from '../../core/decide.ts'
import { isStorageError, type StorageErrorCode } from '../../core/errors.ts'
import { decodeJson } from '../../core/json.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { ApplyOptions, ItemQuery, ReplicaBackend } from '../../backend/replica-backend.ts'

export interface ReplicaBackendCapabilities {
  /** What was acknowledged is there after `disconnect`. Needs `reopen`. Default: false. */
  readonly persistent?: boolean
  /** It has `lease`. Default: true. */
  readonly leases?: boolean
  /**
   * What it judges conditions of: groups over several `keys`, groups of one `key`, or `none`, for one without
   * `judgesConditions`. Default: `keys`.
   */
  readonly conditions?: 'keys' | 'key' | 'none'
  /** What `open` opens can be searched. Default: false. */
  readonly search?: boolean
  /** Rounds of each property test. Default: 40. */
  readonly propertyRuns?: number
}

/** Which value of a key is to be damaged: its register, or the appended or edited one of an item. */
export interface DamagedValue {
  readonly key: string
  readonly part: 'register' | 'appended' | 'edited'
  /** Of the item. */
  readonly id?: string
}

export interface ReplicaBackendConformanceOptions {
  /** Names the engine in the titles. */
  readonly name: string
  /** A connected backend on a database that is new and empty. The suite disconnects it. */
  readonly open: () => Promise<ReplicaBackend>
  /** Another connected backend on the database of this one, which is disconnected. */
  readonly reopen?: (backend: ReplicaBackend) => Promise<ReplicaBackend>
  /**
   * Writes something else in place of a stored value, past the backend, without its digest. For
   * engines that store digests.
   */
  readonly damage?: (backend: ReplicaBackend, value: DamagedValue) => Promise<void>
  readonly capabilities?: ReplicaBackendCapabilities
}

/** What each facet of the suite is given. */
export interface ConformanceContext {
  readonly capabilities: Required<ReplicaBackendCapabilities>
  readonly reopen: ReplicaBackendConformanceOptions['reopen']
  readonly damage: ReplicaBackendConformanceOptions['damage']
  /** An empty backend that is disconnected when the test ends. */
  readonly setup: () => Promise<ReplicaBackend>
  /** Opens one that the caller disconnects. */
  readonly open: () => Promise<ReplicaBackend>
}

export function conformanceContext({
  open,
  reopen,
  damage,
  capabilities = {},
}: ReplicaBackendConformanceOptions): ConformanceContext {
  const {
    persistent = false,
    leases = true,
    conditions = 'keys',
    search = false,
    propertyRuns = 40,
  } = capabilities
  return {
    capabilities: { persistent, leases, conditions, search, propertyRuns },
    reopen,
    damage,
    open,
    setup: async () => {
      const backend = await open()
      onTestFinished(async () => await backend.disconnect())
      return backend
    },
  }
}

/** Applies one group with `decide` and returns the answers. */
export async function judge(
  backend: ReplicaBackend,
  operations: readonly Operation[],
  options: ApplyOptions = {},
): Promise<readonly Verdict[]> {
  const { applied } = await backend.apply(operations, { decide: true, ...options })
  return applied
}

/** The outcomes of a group that is judged. */
export async function outcomes(
  backend: ReplicaBackend,
  operations: readonly Operation[],
  options: ApplyOptions = {},
): Promise<readonly string[]> {
  return (await judge(backend, operations, options)).map(({ outcome }) => outcome)
}

/** All items of a list, oldest first, read in pages of `limit`. */
export async function allItems(
  backend: ReplicaBackend,
  key: string,
  { includeRemoved = false, limit = 500 }: Partial<ItemQuery> = {},
): Promise<Item[]> {
  const items: Item[] = []
  for (;;) {
    const after = items.at(-1)?.position
    const bound = after === undefined ? {} : { after }
    const page = await backend.readItems({ key, limit, order: 'oldest', includeRemoved, ...bound })
    items.push(...page.items)
    if (page.done) return items
    expect(page.items.length, 'a page that is not the last is full').toBe(limit)
  }
}

/** What a reader sees of the list. */
export async function values(backend: ReplicaBackend, key: string): Promise<unknown[]> {
  return (await allItems(backend, key)).map((item) => decodeJson(itemValue(item)!))
}

/** The call rejects with a `StorageError` of this code. */
export async function rejects(call: Promise<unknown>, code: StorageErrorCode): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isStorageError(error, code), `expected ${code}, got ${String(error)}`).toBe(true)
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}
