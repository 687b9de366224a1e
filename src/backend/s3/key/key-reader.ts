import type { Env } from '../../../core/env.ts'
import { isStorageError, StorageError } from '../../../core/errors.ts'
import type { JsonText } from '../../../core/json.ts'
import { applyOperation, emptyState, type Item, type KeyState } from '../../../core/merge.ts'
import { operationBytes } from '../../../core/operation.ts'
import { copyState } from '../../key-states.ts'
import { AwakeClock } from '../../../core/awake-clock.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import { putValues } from './key-change.ts'
import { numberIn, type Layout } from './layout.ts'
import { REREADS_MAX } from '../protocol/limits.ts'
import { Lru } from '../../../core/lru.ts'
import { damaged, decodeObject } from './object-format.ts'
import { SUMMARY_RULE, summaryOf } from './summary.ts'
import { refOf } from './value-ref.ts'
import { decodeOperations, decodeVersion, type StoredOperations, type Version } from './version.ts'

/** A key as it was when it was looked at last. */
export interface KeyView {
  /** Of its newest version; 0 when there is none. */
  readonly number: number
  readonly version: Version | undefined
  /** When it was known to be the newest, by the reader's clock. */
  readonly checkedAt: number
}

/** A view with the state that its version describes; values may be references. */
export interface LoadedKey extends KeyView {
  readonly state: KeyState
}

/** An object that a version named is not there any more: a newer version should stand. */
export class ReplacedError extends Error {
  readonly object: string

  constructor(object: string) {
    super(`the object ${object} is missing`)
    this.object = object
  }
}

/** Reads keys, and keeps in memory what cannot change: objects are never written twice. */
export class KeyReader {
  readonly #clock: AwakeClock
  readonly #client: S3Client
  readonly #layout: Layout
  /** By folder. */
  readonly #views: Lru<KeyView>
  /** By the name of the version. */
  readonly #states: Lru<KeyState>
  /** Segments' values and indexes' states, by name. */
  readonly #values: Lru<readonly JsonText[]>
  readonly #bases: Lru<KeyState>
  /** Objects on their way, by name, for each call. */
  readonly #fetching = new WeakMap<S3Call, Map<string, Promise<unknown>>>()

  constructor(env: Env, client: S3Client, layout: Layout, cacheBytes: number) {
    this.#clock = new AwakeClock(env)
    this.#client = client
    this.#layout = layout
    this.#views = new Lru({ bytesMax: cacheBytes / 4 })
    this.#states = new Lru({ bytesMax: cacheBytes / 4 })
    this.#values = new Lru({ bytesMax: cacheBytes / 4 })
    this.#bases = new Lru({ bytesMax: cacheBytes / 4 })
  }

  /** Milliseconds by which views are dated: a process that slept has old ones. */
  now(): number {
    return this.#clock.now()
  }

  /** The newest version of a key: one list, and one read unless it is known. */
  async view(key: string, call: S3Call, ageMsMax = 0): Promise<KeyView> {
    return await this.viewOf(this.#layout.versions(key), call, ageMsMax)
  }

  /** The same by folder, for keys whose names are not known. */
  async viewOf(folder: string, call: S3Call, ageMsMax = 0): Promise<KeyView> {
    const known = this.#views.get(folder)
    const checkedAt = this.now()
    if (known !== undefined && checkedAt - known.checkedAt < ageMsMax) return known
    for (let attempt = 0; attempt < REREADS_MAX; attempt++) {
      const { objects } = await this.#client.list(folder, { limit: 1 }, call)
      const [newest] = objects
      if (newest === undefined) return { number: 0, version: undefined, checkedAt }
      const view = await this.#viewAt(newest.name, folder, checkedAt, call)
      if (view !== undefined) return view
    }
    throw missingObject(folder)
  }

  /** The version of this name, which a list has just shown as the newest of its folder. */
  async listed(name: string, listedAt: number, call: S3Call): Promise<Version | undefined> {
    const folder = name.slice(0, name.lastIndexOf('/') + 1)
    const view = await this.#viewAt(name, folder, listedAt, call)
    return (view ?? (await this.viewOf(folder, call))).version
  }

  /** The state of a key, without the values that stand in segments. */
  async load(key: string, call: S3Call, ageMsMax = 0): Promise<LoadedKey> {
    return await this.#again(async (attempt) => {
      const view = await this.view(key, call, attempt === 0 ? ageMsMax : 0)
      return { ...view, state: await this.stateOf(key, view.version, call) }
    })
  }

  /** Reads a key and what `work` needs of its values, all as of one version. */
  async read<T>(key: string, call: S3Call, work: (loaded: LoadedKey) => Promise<T>): Promise<T> {
    return await this.#again(async () => await work(await this.load(key, call)))
  }

  /** The same for a look at damage: a value whose segment is damaged or missing is empty. */
  async readStored<T>(
    key: string,
    call: S3Call,
    work: (loaded: LoadedKey, valueOf: (text: JsonText) => Promise<JsonText>) => Promise<T>,
  ): Promise<T> {
    return await this.#again(async (attempt) => {
      const isLast = attempt + 1 >= REREADS_MAX
      return await work(await this.load(key, call), async (text) => {
        try {
          return await this.value(key, text, call)
        } catch (error) {
          const isGone = isLast && error instanceof ReplacedError
          if (isGone || isStorageError(error, 'CORRUPT')) return '' as JsonText
          throw error
        }
      })
    })
  }

  /** The state that a version describes. The caller must not change it. */
  async stateOf(key: string, version: Version | undefined, call: S3Call): Promise<KeyState> {
    if (version === undefined) return emptyState()
    const name = this.#layout.version(key, version.number)
    const known = this.#states.get(name)
    if (known !== undefined) return known
    const base = version.base === undefined ? undefined : await this.#base(key, version.base, call)
    const state = copyState(base)
    for (const operation of version.tail) applyOperation(state, operation)
    // Of two values with one stamp a merge keeps the first, but the later one was a repair.
    if (base !== undefined) putValues(state, version.tail)
    this.#states.set(name, state, bytesOf(state))
    return state
  }

  /** What stands now, as this process itself has written it. */
  remember(version: Version, state: KeyState, checkedAt: number): void {
    const folder = this.#layout.versions(version.key)
    this.#setView(folder, { number: version.number, version, checkedAt })
    this.#states.set(this.#layout.version(version.key, version.number), state, bytesOf(state))
  }

  /** The items with their values. */
  async withValues(key: string, items: readonly Item[], call: S3Call): Promise<Item[]> {
    return await Promise.all(
      items.map(async (item) => {
        const { appended, edited } = item
        if (!isRef(appended) && !isRef(edited)) return item
        return {
          ...item,
          ...(appended !== undefined && { appended: await this.value(key, appended, call) }),
          ...(edited !== undefined && { edited: await this.value(key, edited, call) }),
        }
      }),
    )
  }

  /** A value, fetched if it is a reference. */
  async value(key: string, text: JsonText, call: S3Call): Promise<JsonText> {
    const ref = refOf(text)
    if (ref === undefined) return text
    const values = await this.#segment(key, ref.segment, call)
    const value = values[ref.at]
    if (value === undefined)
      throw damaged(this.#layout.values(key) + ref.segment, 'it is too short')
    return value
  }

  async #viewAt(
    name: string,
    folder: string,
    checkedAt: number,
    call: S3Call,
  ): Promise<KeyView | undefined> {
    const known = this.#views.get(folder)
    const number = numberIn(name)
    if (known?.number === number) {
      const view = { ...known, checkedAt: Math.max(checkedAt, known.checkedAt) }
      this.#setView(folder, view)
      return view
    }
    const bytes = await this.#client.get(name, call)
    const read = bytes === undefined ? undefined : decodeVersion(name, bytes)
    if (read === undefined) return undefined
    const version = await this.#summarized(read, call)
    if (version === undefined) return undefined
    const view = { number, version, checkedAt }
    // A slower reader must not put an older version in the place of a newer one.
    if ((this.#views.get(folder)?.number ?? 0) < number) this.#setView(folder, view)
    return view
  }

  /** With a summary by today's rules; undefined when what it names was replaced meanwhile. */
  async #summarized(version: Version, call: S3Call): Promise<Version | undefined> {
    if (version.summary.rule === SUMMARY_RULE) return version
    try {
      const state = await this.stateOf(version.key, version, call)
      return { ...version, summary: summaryOf(version.key, state), isEarlier: true }
    } catch (error) {
      if (error instanceof ReplacedError) return undefined
      throw error
    }
  }

  #setView(folder: string, view: KeyView): void {
    const tail = view.version?.tail ?? []
    const bytes = tail.reduce((sum, operation) => sum + operationBytes(operation), 512)
    this.#views.set(folder, view, bytes)
  }

  async #base(key: string, index: string, call: S3Call): Promise<KeyState> {
    const name = this.#layout.values(key) + index
    const known = this.#bases.get(name)
    if (known !== undefined) return known
    const state = await this.#object('index', name, call, (content) => {
      const read = emptyState()
      for (const operation of decodeOperations(
        name,
        key,
        (content as StoredOperations).operations,
      )) {
        applyOperation(read, operation)
      }
      return read
    })
    this.#bases.set(name, state, bytesOf(state))
    return state
  }

  async #segment(key: string, segment: string, call: S3Call): Promise<readonly JsonText[]> {
    const name = this.#layout.values(key) + segment
    const known = this.#values.get(name)
    if (known !== undefined) return known
    const values = await this.#object('segment', name, call, (content) =>
      decodeOperations(name, key, (content as StoredOperations).operations).map((operation) =>
        'value' in operation ? operation.value : ('null' as JsonText),
      ),
    )
    this.#values.set(
      name,
      values,
      values.reduce((sum, value) => sum + value.length, 100),
    )
    return values
  }

  /** Calls that want the same object at the same time share one request. */
  async #object<T>(
    kind: 'index' | 'segment',
    name: string,
    call: S3Call,
    decode: (content: unknown) => T,
  ): Promise<T> {
    let shared = this.#fetching.get(call)
    if (shared === undefined) this.#fetching.set(call, (shared = new Map()))
    let fetching = shared.get(name) as Promise<T> | undefined
    if (fetching === undefined) {
      const own = shared
      fetching = this.#fetch(kind, name, call).then(decode)
      own.set(name, fetching)
      const done = (): void => void own.delete(name)
      fetching.then(done, done)
    }
    return await fetching
  }

  async #fetch(kind: 'index' | 'segment', name: string, call: S3Call): Promise<unknown> {
    const bytes = await this.#client.get(name, call)
    if (bytes === undefined) throw new ReplacedError(name)
    return decodeObject(kind, name, bytes)
  }

  /** Again from the newest version when an object was replaced since; not for ever. */
  async #again<T>(work: (attempt: number) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work(attempt)
      } catch (error) {
        if (!(error instanceof ReplacedError)) throw error
        if (attempt + 1 >= REREADS_MAX) throw missingObject(error.object)
      }
    }
  }
}

function isRef(value: JsonText | undefined): boolean {
  return value !== undefined && refOf(value) !== undefined
}

/** Nothing newer stands: the object was removed by somebody else. */
export function missingObject(name: string): StorageError {
  return new StorageError('CORRUPT', `S3: the object ${name} is missing`)
}

/** Roughly what a state takes in memory. */
function bytesOf(state: KeyState): number {
  let bytes = 200 + (state.register?.value.length ?? 0)
  for (const { id, appended, edited } of state.items.values()) {
    bytes += 300 + id.length + (appended?.length ?? 0) + (edited?.length ?? 0)
  }
  return bytes
}
