import type { EngineHost } from './engine-host.ts'
import type { EngineThread } from './engine-thread.ts'

/** What a thread is for: a long scan must not hold up a commit. */
export type Role = 'writer' | 'scanner'

interface Held {
  host?: EngineHost
  opening?: Promise<EngineHost>
}

/** A thread for each role: opened when it is needed first, and again when it has died. */
export class EngineThreads {
  readonly #open: () => Promise<EngineThread>
  readonly #held: Record<Role, Held> = { writer: {}, scanner: {} }

  constructor(open: () => Promise<EngineThread>) {
    this.#open = open
  }

  async get(role: Role): Promise<EngineHost> {
    const held = this.#held[role]
    if (held.host?.isAlive === true) return held.host
    if (held.opening !== undefined) return await held.opening
    const opening = this.#open()
    held.opening = opening
    try {
      const host = await opening
      if (held.opening === opening) held.host = host
      return host
    } finally {
      if (held.opening === opening) delete held.opening
    }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#held).map(closeHeld))
  }
}

async function closeHeld(held: Held): Promise<void> {
  const { host, opening } = held
  delete held.host
  delete held.opening
  await ((await opening?.catch(() => undefined)) ?? host)?.close()
}
