/*
 * A cache that several processes share, and that never serves what a write has invalidated.
 *
 * Each cached entry carries two tags that were read *before* its data: that of its key and
 * that of all keys. A writer changes the key's tag after its write is in the database and
 * before it acknowledges. So an entry that was filled from older data, whenever it is stored, has an
 * older tag than the one in the cache, and counts as absent. A tag that was evicted is
 * made anew at random, with the same effect.
 *
 * When the cache does not answer a writer, other processes may still reach it and believe it. The
 * writer then raises its hint in the backup, which makes every reader leave the cache alone, waits
 * once until no reader can hold a list of hints from before, and goes on without the cache. When it
 * is back the writer tells it of its writes again, and then changes the tag of all keys before
 * it takes the hint back: what was written without a word to the cache was written before that.
 */
import type { CacheBackend } from '../../backend/cache-backend.ts'
import { getTexts, setText } from '../../backend/cache-texts.ts'
import type { Env } from '../../core/env.ts'
import { messageOf, StorageError } from '../../core/errors.ts'
import { sleep, withDeadline } from '../../core/time.ts'
import { LocalEntries, type Entry } from './local-entries.ts'

/** What a shared cache works with. */
export interface SharedCacheOptions {
  readonly env: Env
  /** The cache as it is now, or undefined while it is away or memory stands in for it. */
  readonly cache: () => CacheBackend | undefined
  /**
   * Entries kept decoded in this process too: a hit then costs the tags, not the data. 0
   * keeps none.
   */
  readonly localEntries: number
  /** Life of an entry in the cache, and of its copy in this process from when that was made. */
  readonly ttlSeconds: number
  /** Time of one call of the cache. Milliseconds. */
  readonly timeoutMs: number
  /** Tells all readers to leave the cache alone; resolves when none can still believe it. */
  readonly warnReaders: () => Promise<void>
}

/** How the data of one kind of entry becomes text. */
export interface EntryCodec<T> {
  encode(data: T): string
  /** Undefined, or an error, for a text that is not ours. */
  decode(text: string): T | undefined
}

/** Read before the data, handed to `fill` with the data. */
export interface FillToken {
  readonly all: string
  readonly tag: string
}

/** How the cache in front of a store does. */
export interface CacheStats {
  readonly hits: number
  readonly misses: number
  /** Hits as a part of both; 0 before the first read. */
  readonly hitRatio: number
  readonly state: 'on' | 'out'
}

/** What the cache says of an entry. */
export type Lookup<T> =
  | { readonly hit: true; readonly data: T }
  | { readonly hit: false; readonly token: FillToken | undefined }

/** Tags live this long after their last use. Entries live shorter. */
const TAG_TTL_SECONDS = 7 * 86_400
/** An entry with a longer text is not kept. UTF-16 units. */
const ENTRY_UNITS_MAX = 4 * 1024 * 1024
/** Pause after a failure before the cache is tried again. */
const RETRY_MS = 1_000
const ALL = 'all'
/** What readers cache of a key. */
export const ENTRY_NAMES = ['window', 'value'] as const

/** What an entry of the cache holds. */
export type EntryName = (typeof ENTRY_NAMES)[number]

/** A cache that several processes keep true together. */
export class SharedCache {
  readonly #options: SharedCacheOptions
  readonly #local: LocalEntries | undefined
  /** It is told of no writes. */
  #out = false
  /** Readers are warned on this process's behalf, and it reads nothing from the cache itself. */
  #owing = false
  #recovering: Promise<void> | undefined
  /** Runs while readers are being warned: until it ends no write is acknowledged. */
  #warning: Promise<void> | undefined
  #warned = true
  #stopped = false
  #hits = 0
  #misses = 0

  constructor(options: SharedCacheOptions) {
    this.#options = options
    const { env, localEntries } = options
    this.#local = localEntries === 0 ? undefined : new LocalEntries(env, localEntries)
  }

  /** True while readers were told to leave the cache alone on this process's behalf. */
  owes(): boolean {
    return this.#owing
  }

  /** The entry when it is there and still true; else what a later `fill` needs. */
  async get<T>(name: EntryName, key: string, codec: EntryCodec<T>): Promise<Lookup<T>> {
    if (this.#owing) return this.#missed(undefined)
    try {
      return await this.#lookUp(entryKey(name, key), key, codec)
    } catch (error) {
      // A reader is harmed by nothing but the delay: it asks the database.
      this.#options.env.logger.debug({ error: messageOf(error) }, 'the cache did not answer')
      return this.#missed(undefined)
    }
  }

  /** The same for several keys, in their order, with one call of the cache. */
  async getMany<T>(
    name: EntryName,
    keys: readonly string[],
    codec: EntryCodec<T>,
  ): Promise<readonly Lookup<T>[]> {
    if (keys.length === 0) return []
    if (this.#owing) return keys.map(() => this.#missed(undefined))
    try {
      const names = keys.flatMap((key) => [tagKey(key), entryKey(name, key)])
      const texts = await this.#call((cache) => getTexts(cache, [tagKey(ALL), ...names]))
      const all = texts[0] ?? (await this.#renew(ALL))
      return await Promise.all(
        keys.map(async (key, i) => {
          const tag = texts[1 + 2 * i] ?? (await this.#renew(key))
          const entry = entryKey(name, key)
          return this.#judge(
            entry,
            { all, tag },
            this.#local?.get<T>(entry),
            texts[2 + 2 * i],
            codec,
          )
        }),
      )
    } catch (error) {
      this.#options.env.logger.debug({ error: messageOf(error) }, 'the cache did not answer')
      return keys.map(() => this.#missed(undefined))
    }
  }

  /** Stores what was read after the token was. A failure costs nothing but the entry. */
  async fill<T>(
    name: EntryName,
    key: string,
    { all, tag }: FillToken,
    data: T,
    codec: EntryCodec<T>,
  ): Promise<void> {
    if (this.#owing) return
    const text = `${all} ${tag}\n${codec.encode(data)}`
    if (text.length > ENTRY_UNITS_MAX) return
    try {
      await this.#call((cache) =>
        setText(cache, entryKey(name, key), text, this.#options.ttlSeconds),
      )
    } catch (error) {
      this.#options.env.logger.debug({ error: messageOf(error) }, 'the cache took no entry')
    }
  }

  /**
   * These keys were written: what is cached of them counts no more once this resolves. It never
   * rejects: the write is in its places already. Not promised while neither the cache nor the backup
   * can be reached from here, but both from elsewhere: readers there may see an older page until its
   * life ends.
   */
  async changed(keys: Iterable<string>): Promise<void> {
    if (this.#out) {
      await this.#warning
      return
    }
    try {
      await Promise.all([...new Set(keys)].map((key) => this.#renew(key)))
    } catch (error) {
      this.#options.env.logger.warn({ error: messageOf(error) }, 'the cache is out')
      await this.#leave()
    }
  }

  /**
   * Removes what is cached of these keys, here and in the cache that is shared; not in the memory of
   * other processes.
   *
   * @throws StorageError when the cache is out: try again.
   */
  async forget(keys: Iterable<string>): Promise<void> {
    for (const key of keys) {
      for (const name of ENTRY_NAMES) {
        this.#local?.delete(entryKey(name, key))
        await this.#call((cache) => cache.delete(entryKey(name, key)))
      }
    }
  }

  /**
   * Nothing that is cached counts any more, for any process.
   *
   * @throws StorageError when the cache is out: try again.
   */
  async renewAll(): Promise<void> {
    await this.#renew(ALL)
  }

  stats(): CacheStats {
    const reads = this.#hits + this.#misses
    return {
      hits: this.#hits,
      misses: this.#misses,
      hitRatio: reads === 0 ? 0 : this.#hits / reads,
      state: this.#owing ? 'out' : 'on',
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#recovering
  }

  #missed(token: FillToken | undefined): {
    readonly hit: false
    readonly token: FillToken | undefined
  } {
    this.#misses++
    return { hit: false, token }
  }

  async #lookUp<T>(entry: string, key: string, codec: EntryCodec<T>): Promise<Lookup<T>> {
    const local = this.#local?.get<T>(entry)
    const names = [tagKey(key), tagKey(ALL), ...(local === undefined ? [entry] : [])]
    const [current, currentAll, text] = await this.#call((cache) => getTexts(cache, names))
    const tag = current ?? (await this.#renew(key))
    const all = currentAll ?? (await this.#renew(ALL))
    const isKnown = local?.tag === tag && local.all === all
    const shared =
      local === undefined || isKnown
        ? text
        : (await this.#call((cache) => getTexts(cache, [entry])))[0]
    return this.#judge(entry, { all, tag }, local, shared, codec)
  }

  #judge<T>(
    entry: string,
    { all, tag }: FillToken,
    local: Entry<T> | undefined,
    shared: string | undefined,
    codec: EntryCodec<T>,
  ): Lookup<T> {
    const isTrue = (found: Entry<T> | undefined): found is Entry<T> =>
      found?.tag === tag && found.all === all
    if (isTrue(local)) return this.#hit(local)
    const found = shared === undefined ? undefined : decodeEntry(shared, codec)
    if (!isTrue(found)) {
      this.#local?.delete(entry)
      return this.#missed({ all, tag })
    }
    this.#local?.set(entry, found, shared!.length, this.#options.ttlSeconds)
    return this.#hit(found)
  }

  #hit<T>({ data }: Entry<T>): Lookup<T> {
    this.#hits++
    return { hit: true, data }
  }

  async #renew(key: string): Promise<string> {
    const tag = Buffer.from(this.#options.env.randomBytes(9)).toString('base64')
    await this.#call((cache) => setText(cache, tagKey(key), tag, TAG_TTL_SECONDS))
    return tag
  }

  /** One bounded delay, and from then on the cache costs nothing until it is back. */
  async #leave(): Promise<void> {
    this.#out = true
    this.#owing = true
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined
    })
    this.#warning ??= this.#warn().finally(() => {
      this.#warning = undefined
    })
    await this.#warning
  }

  async #warn(): Promise<void> {
    try {
      await this.#options.warnReaders()
      this.#warned = true
    } catch (error) {
      this.#warned = false
      this.#options.env.logger.error(
        { error: messageOf(error) },
        'readers could not be told that the cache is out of reach',
      )
    }
  }

  async #recover(): Promise<void> {
    const { env } = this.#options
    while (!this.#stopped) {
      await sleep(env, RETRY_MS)
      if (!this.#warned) await this.#warn()
      try {
        await this.#renew(ALL)
        this.#out = false
        // Whatever it was not told of, up to now: nothing that is cached counts any more.
        await this.#renew(ALL)
        if (this.#out) continue
        this.#owing = false
        return
      } catch (error) {
        this.#out = true
        env.logger.debug({ error: messageOf(error) }, 'the cache is still out')
      }
    }
  }

  async #call<T>(run: (cache: CacheBackend) => Promise<T>): Promise<T> {
    const { env, timeoutMs } = this.#options
    const cache = this.#options.cache()
    if (cache === undefined) throw new StorageError('UNAVAILABLE', 'the cache cannot be reached')
    return await withDeadline(env, timeoutMs, 'cache', run(cache))
  }
}

/** The tags, then the data. Undefined for what is not ours, or damaged: a cache may forget. */
function decodeEntry<T>(text: string, codec: EntryCodec<T>): Entry<T> | undefined {
  const end = text.indexOf('\n')
  const [all, tag] = text.slice(0, Math.max(0, end)).split(' ')
  if (all === undefined || tag === undefined) return undefined
  try {
    const data = codec.decode(text.slice(end + 1))
    return data === undefined ? undefined : { all, tag, data }
  } catch {
    return undefined
  }
}

function entryKey(name: EntryName, key: string): string {
  return `everthread:${name}:${key}`
}

function tagKey(key: string): string {
  return `everthread:g:${key}`
}
