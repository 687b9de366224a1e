/*
 * A client repeats a request that was not answered, with nothing in it but its count of repeats. The ids that were
 * given to items without one are therefore remembered by what was asked: a repeat has the same, and saves nothing twice.
 */
import { createHash } from 'node:crypto'
import { newSuffix } from './item.ts'

/** Requests that are remembered; the oldest go first. */
const REMEMBERED_MAX = 10_000
/** Longer than a client waits for an answer and repeats; milliseconds. */
const REMEMBERED_MS = 15 * 60_000

/** One request, and what the ids of its items end with. */
export interface Asked {
  readonly suffix: string
  readonly until: number
  /** Answered well: a repeat is rather of one that was not. */
  isDone: boolean
}

export class Repeats {
  /** By what was asked: the latest request, and the latest that was not answered well. */
  readonly #known = new Map<string, readonly Asked[]>()

  /**
   * @param asked What makes requests the same: the conversation and the body.
   * @param nowMs Unix milliseconds.
   */
  of(request: Request, asked: readonly unknown[], nowMs: number): Asked {
    const until = nowMs + REMEMBERED_MS
    const key = request.headers.get('idempotency-key')
    if (key !== null && key !== '') {
      return { suffix: digestOf(['key', key, asked[0]]), until, isDone: false }
    }
    const digest = digestOf(asked)
    const known = (this.#known.get(digest) ?? []).filter((one) => one.until > nowMs)
    const count = Number(request.headers.get('x-stainless-retry-count') ?? 0)
    const before = count > 0 ? (known.find(({ isDone }) => !isDone) ?? known.at(-1)) : undefined
    if (before !== undefined) return before
    const one: Asked = { suffix: newSuffix(), until, isDone: false }
    this.#remember(digest, [...known.filter(({ isDone }) => !isDone).slice(-1), one])
    return one
  }

  #remember(digest: string, known: readonly Asked[]): void {
    this.#known.delete(digest)
    this.#known.set(digest, known)
    if (this.#known.size > REMEMBERED_MAX) this.#known.delete(this.#known.keys().next().value!)
  }
}

function digestOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40)
}
