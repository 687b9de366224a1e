import type { EngineHost } from './engine-host.ts'
import type { EngineThread } from './engine-thread.ts'

/** What a thread is for: a long scan must not hold up a commit. */
export type Role = 'writer' | 'scanner'

interface Slot {
  host?: EngineHost
  opening?: Promise<EngineHost>
}

/** A thread for each role: opened when it is needed first, and again when it has died. */
export class EngineThreads {
  readonly #open: () => Promise<EngineThread>
  readonly #slots: Record<Role, Slot> = { writer: {}, scanner: {} }

  constructor(open: () => Promise<EngineThread>) {
    this.#open = open
  }

  async get(role: Role): Promise<EngineHost> {
    const slot = this.#slots[role]
    if (slot.host?.isAlive === true) return slot.host
    if (slot.opening !== undefined) return await slot.opening
    const opening = this.#open()
    slot.opening = opening
    try {
      const host = await opening
      if (slot.opening === opening) slot.host = host
      return host
    } finally {
      if (slot.opening === opening) delete slot.opening
    }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#slots).map(closeSlot))
  }
}

async function closeSlot(slot: Slot): Promise<void> {
  const { host, opening } = slot
  delete slot.host
  delete slot.opening
  await ((await opening?.catch(() => undefined)) ?? host)?.close()
}
