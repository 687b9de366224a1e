import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '../../backend/registry.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { openChatHistory } from '../../chat/open-chat-history.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { ChatMessage, NewMessage, Receipt } from '../../chat/message.ts'
import { withPlaceSource } from '../transfer/place-source.ts'
import type { DemoReport } from './demo-report.ts'
import { judge, type Found } from './judge.ts'
import { PowerSwitch } from './power-switch.ts'
import { CLEARED, SCRIPT, type Phase } from './script.ts'

/** Longest wait for the primary to catch up. Milliseconds. */
const CATCH_UP_MS_MAX = 8_000

/** Told step by step, while it happens. */
export interface DemoStory {
  opened(folder: string): Promise<void>
  saved(phase: Phase, count: number, receipts: readonly Receipt[]): Promise<void>
  cleared(places: readonly DatabasePlace[]): Promise<void>
  takenAway(): Promise<void>
  readWhileAway(counts: Readonly<Record<string, number>>, complete: boolean): Promise<void>
  broughtBack(): Promise<void>
  caughtUp(ms: number): Promise<void>
}

export interface DemoOptions {
  readonly story: DemoStory
  readonly keep: boolean
  readonly interrupt: AbortSignal
}

interface Saved {
  readonly conversationId: string
  readonly receipt: Receipt
  readonly text: string
  readonly savedWhile: Phase
}

type Contents = ReadonlyMap<string, readonly Found[]>

/**
 * Saves conversations, takes the primary away in the middle, brings it back, and then opens both
 * databases alone to count. The folder is removed at the end, whatever happens.
 */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const startedAt = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'everthread-demo-'))
  try {
    await options.story.opened(folder)
    const told = await new Demo(folder, options).run()
    const primary = await contents('primary', folder)
    const backup = await contents('backup', folder)
    return {
      ...report(told, primary, backup),
      seconds: Math.round(performance.now() - startedAt) / 1000,
      ...(options.keep && { folder }),
    }
  } finally {
    if (!options.keep) await rm(folder, { recursive: true, force: true })
  }
}

interface Told {
  readonly saved: readonly Saved[]
  readonly readWhileAway: Readonly<Record<string, number>>
  readonly catchUpMs: number
}

class Demo {
  readonly #folder: string
  readonly #options: DemoOptions
  readonly #saved: Saved[] = []

  constructor(folder: string, options: DemoOptions) {
    this.#folder = folder
    this.#options = options
  }

  async run(): Promise<Told> {
    const { story } = this.#options
    const path = join(this.#folder, 'primary.db')
    const primary = await PowerSwitch.create({
      path,
      create: () => createDatabase({ type: 'sqlite', path }, nodeEnv(), 'primary'),
    })
    const history = await openChatHistory({
      primary: primary.backend,
      backup: `sqlite:${join(this.#folder, 'backup.db')}`,
      wal: `file:${join(this.#folder, 'wal')}`,
      // Sooner than the defaults, so that nobody waits for a demo.
      health: {
        type: 'circuit-breaker',
        config: { circuitOpenDuration: 300, healthCheckInterval: 100 },
      },
    })
    try {
      await this.#save(history, 'there')
      // Both databases shall have it before the outage, so that the clear has something to clear.
      await history.flush()
      await primary.off()
      await story.takenAway()
      await this.#save(history, 'away')
      const { clear } = await history.clearHistory(CLEARED)
      await story.cleared(clear)
      const readWhileAway = await this.#read(history)
      await primary.on()
      await story.broughtBack()
      const catchUpMs = await this.#catchUp(history)
      await story.caughtUp(catchUpMs)
      await this.#save(history, 'back')
      await history.flush()
      return { saved: this.#saved, readWhileAway, catchUpMs }
    } finally {
      await history.close()
    }
  }

  async #save(history: ChatHistory, phase: Phase): Promise<void> {
    const receipts: Receipt[] = []
    for (const { conversationId, message } of SCRIPT[phase]) {
      this.#options.interrupt.throwIfAborted()
      const receipt = await history.saveMessage(conversationId, message)
      receipts.push(receipt)
      this.#saved.push({ conversationId, receipt, text: textOf(message), savedWhile: phase })
    }
    await this.#options.story.saved(phase, receipts.length, receipts)
  }

  async #read(history: ChatHistory): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {}
    let complete = true
    for (const conversationId of new Set(this.#saved.map((saved) => saved.conversationId))) {
      const page = await history.getHistory(conversationId)
      counts[conversationId] = page.messages.length
      complete &&= page.complete
    }
    await this.#options.story.readWhileAway(counts, complete)
    return counts
  }

  /** Waits until the store knows of nothing that the primary lacks. */
  async #catchUp(history: ChatHistory): Promise<number> {
    const startedAt = performance.now()
    for (;;) {
      const { primary } = history.status().places
      const spent = Math.round(performance.now() - startedAt)
      if (primary.healthy && primary.pending === 0) return spent
      if (spent > CATCH_UP_MS_MAX) return spent
      this.#options.interrupt.throwIfAborted()
      await sleep(20)
    }
  }
}

async function contents(place: DatabasePlace, folder: string): Promise<Contents> {
  const database = `sqlite:${join(folder, `${place}.db`)}`
  return await withPlaceSource({ place, database, tenant: '' }, async (source) => {
    const found = new Map<string, Found[]>()
    for (const id of await source.conversationIds()) {
      const messages: ChatMessage[] = []
      for await (const batch of source.batches(id)) messages.push(...batch.messages)
      found.set(
        id,
        messages.map((message) => ({ id: message.id, text: textOf(message) })),
      )
    }
    return found
  })
}

function report(told: Told, primary: Contents, backup: Contents): Omit<DemoReport, 'seconds'> {
  const acknowledged = told.saved.map(({ conversationId, receipt, text }) => ({
    conversationId,
    id: receipt.id,
    text,
    cleared: conversationId === CLEARED,
  }))
  return {
    messages: told.saved.map(({ receipt, savedWhile }, i) => ({
      ...acknowledged[i]!,
      savedWhile,
      copies: receipt.copies,
      inPrimary: has(primary, acknowledged[i]!),
      inBackup: has(backup, acknowledged[i]!),
    })),
    readWhileAway: told.readWhileAway,
    catchUpMs: told.catchUpMs,
    verdict: { primary: judge(acknowledged, primary), backup: judge(acknowledged, backup) },
  }
}

function has(place: Contents, message: { conversationId: string; id: string }): boolean {
  return (place.get(message.conversationId) ?? []).some(({ id }) => id === message.id)
}

/** All that a message says, so that any change of it is noticed. */
function textOf(message: NewMessage): string {
  const { id: _id, createdAt: _createdAt, ...said } = message
  return JSON.stringify(said)
}
