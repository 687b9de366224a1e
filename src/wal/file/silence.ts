import { LOOK_MS_MAX, SILENCE_MS } from './limits.ts'

interface Watched {
  readonly shown: string
  seenMs: number
  silentMs: number
}

/**
 * Owners that the kernel does not tell about: on another machine, or from before this one started anew. One counts
 * as dead when it has shown nothing new for {@link SILENCE_MS}, as this process has seen it by its own monotonic
 * clock.
 */
export class Silence {
  readonly #watched = new Map<string, Watched>()

  /** Notes what the owner of a log shows now. True when it has been silent for long enough. */
  isOver(name: string, shown: string, nowMs: number): boolean {
    const before = this.#watched.get(name)
    if (before?.shown !== shown) {
      this.#watched.set(name, { shown, seenMs: nowMs, silentMs: 0 })
      return false
    }
    // A process that stood still itself, perhaps together with the owner, has seen nothing meanwhile.
    before.silentMs += Math.min(nowMs - before.seenMs, LOOK_MS_MAX)
    before.seenMs = nowMs
    return before.silentMs > SILENCE_MS
  }

  /** Forgets all logs but these. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#watched.keys()) if (!names.has(name)) this.#watched.delete(name)
  }
}
