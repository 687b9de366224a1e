import { RedisError } from './reply.ts'
import { copyStream, emptyStream, type Stream } from './stream.ts'

interface Kinds {
  readonly string: { text: string }
  readonly hash: Map<string, string>
  readonly set: Set<string>
  /** Scores by member. */
  readonly zset: Map<string, number>
  readonly stream: Stream
}

export type Kind = keyof Kinds
type Value = { [K in Kind]: { readonly kind: K; readonly content: Kinds[K] } }[Kind]

interface Kept {
  readonly value: Value
  /** Unix milliseconds. */
  readonly expiresMs: number | undefined
}

/** What one command, or one script, changed: the keys as they were before it. */
export type Undo = ReadonlyMap<string, Kept | undefined>

const EMPTY: { readonly [K in Kind]: () => Kinds[K] } = {
  string: () => ({ text: '' }),
  hash: () => new Map(),
  set: () => new Set(),
  zset: () => new Map(),
  stream: emptyStream,
}

/** The keys of a server. */
export class DataSet {
  readonly #now: () => number
  #kept = new Map<string, Kept>()
  #undo: Map<string, Kept | undefined> | undefined

  /** `now`: Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  get now(): number {
    return this.#now()
  }

  /** Runs a command, and returns how the keys were that it changed. */
  noting(run: () => void): Undo {
    const undo = new Map<string, Kept | undefined>()
    this.#undo = undo
    try {
      run()
      return undo
    } finally {
      this.#undo = undefined
    }
  }

  undo(undo: Undo): void {
    for (const [key, kept] of undo) {
      if (kept === undefined) this.#kept.delete(key)
      else this.#kept.set(key, kept)
    }
  }

  clear(): void {
    this.#kept.clear()
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined
  }

  /** What a key has; changed by nobody. */
  read<K extends Kind>(key: string, kind: K): Kinds[K] | undefined {
    const kept = this.#find(key)
    if (kept === undefined) return undefined
    if (kept.value.kind !== kind) throw wrongType()
    return kept.value.content as Kinds[K]
  }

  /** The same, about to be changed; made if it is not there. */
  change<K extends Kind>(key: string, kind: K): Kinds[K] {
    const content = this.read(key, kind)
    this.#note(key)
    if (content !== undefined) return content
    const made = EMPTY[kind]()
    this.#kept.set(key, { value: { kind, content: made } as Value, expiresMs: undefined })
    return made
  }

  setText(key: string, text: string, expiresMs: number | undefined): void {
    this.#note(key)
    this.#kept.set(key, { value: { kind: 'string', content: { text } }, expiresMs })
  }

  delete(key: string): boolean {
    if (!this.has(key)) return false
    this.#note(key)
    return this.#kept.delete(key)
  }

  /** Redis keeps no empty collection, but for streams. */
  deleteIfEmpty(key: string, { size }: { readonly size: number }): void {
    if (size === 0) this.#kept.delete(key)
  }

  rename(from: string, to: string): void {
    const kept = this.#find(from)
    if (kept === undefined) throw new RedisError('ERR no such key')
    this.#note(from)
    this.#note(to)
    this.#kept.delete(from)
    this.#kept.set(to, kept)
  }

  streams(): readonly Stream[] {
    return [...this.#kept.values()].flatMap(({ value }) =>
      value.kind === 'stream' ? [value.content] : [],
    )
  }

  #find(key: string): Kept | undefined {
    const kept = this.#kept.get(key)
    if (kept?.expiresMs === undefined || kept.expiresMs > this.#now()) return kept
    return undefined
  }

  #note(key: string): void {
    if (this.#undo === undefined || this.#undo.has(key)) return
    const kept = this.#kept.get(key)
    this.#undo.set(key, kept && { value: copyOf(kept.value), expiresMs: kept.expiresMs })
  }
}

function copyOf(value: Value): Value {
  switch (value.kind) {
    case 'string':
      return { kind: 'string', content: { ...value.content } }
    case 'hash':
      return { kind: 'hash', content: new Map(value.content) }
    case 'set':
      return { kind: 'set', content: new Set(value.content) }
    case 'zset':
      return { kind: 'zset', content: new Map(value.content) }
    case 'stream':
      return { kind: 'stream', content: copyStream(value.content) }
  }
}

function wrongType(): RedisError {
  return new RedisError('WRONGTYPE Operation against a key holding the wrong kind of value')
}
