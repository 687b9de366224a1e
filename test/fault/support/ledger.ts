import type { ReplicaBackend } from '../../../src/backend/replica-backend.ts'
import type { Item } from '../../../src/core/merge.ts'
import type { ChatHistory, ChatMessage, Receipt } from '../../../src/index.ts'
import { placeContents } from './place-contents.ts'

/** What went wrong, counted. */
export interface Verdict {
  readonly saves: number
  readonly failedSaves: number
  readonly reads: number
  readonly failedReads: number
  lost: number
  doubled: number
  reordered: number
}

type Kind = 'lost' | 'doubled' | 'reordered'

/** Causes of each kind that are kept for the message of a failed test. */
const EXAMPLES_MAX = 5

/**
 * Knows what was acknowledged, and checks every read of the same process against it: all that was
 * acknowledged before the read began is there, once, and in the order of the positions.
 */
export class Ledger {
  readonly receipts: Receipt[] = []
  readonly examples: string[] = []
  readonly saveMs: number[] = []
  /** When each of them began, by `performance.now()`. */
  readonly savedAt: number[] = []
  /** What was done to the servers meanwhile. */
  readonly marks: { readonly at: number; readonly what: string }[] = []
  readonly verdict: Verdict & { saves: number; failedSaves: number } & {
    reads: number
    failedReads: number
  } = { saves: 0, failedSaves: 0, reads: 0, failedReads: 0, lost: 0, doubled: 0, reordered: 0 }
  readonly #acknowledged = new Map<string, Map<string, string>>()
  readonly #contents = new Map<string, string>()

  /** Saves one message. A failure is counted, not thrown. */
  async save(history: ChatHistory, conversationId: string, content: string): Promise<void> {
    const startedAt = performance.now()
    try {
      const receipt = await history.saveMessage(conversationId, { role: 'user', content })
      this.saveMs.push(performance.now() - startedAt)
      this.savedAt.push(startedAt)
      this.verdict.saves++
      this.acknowledged(conversationId, receipt, content)
    } catch (error) {
      this.verdict.failedSaves++
      this.#example('failed save', (error as Error).message)
    }
  }

  mark(what: string): void {
    this.marks.push({ at: performance.now(), what })
  }

  /** The longest saves, and what had been done last before each of them ended. */
  longest(count: number): string[] {
    const order = this.saveMs.map((_, i) => i).sort((a, b) => this.saveMs[b]! - this.saveMs[a]!)
    return order.slice(0, count).map((i) => {
      const [from, ms] = [this.savedAt[i]!, this.saveMs[i]!]
      const last = this.marks.findLast(({ at }) => at <= from + ms)
      const when =
        last === undefined ? '' : `, began ${(from - last.at).toFixed(0)} ms after: ${last.what}`
      return `${ms.toFixed(1)} ms${when}`
    })
  }

  acknowledged(conversationId: string, receipt: Receipt, content: string): void {
    this.receipts.push(receipt)
    const known = this.#acknowledged.get(conversationId) ?? new Map<string, string>()
    this.#acknowledged.set(conversationId, known.set(receipt.id, receipt.position))
    this.#contents.set(receipt.id, content)
  }

  /** Reads the whole conversation and checks it. A failure is counted, not thrown. */
  async read(history: ChatHistory, conversationId: string): Promise<void> {
    const expected = new Map(this.#acknowledged.get(conversationId))
    try {
      const seen: ChatMessage[] = []
      for await (const message of history.messages(conversationId)) seen.push(message)
      this.verdict.reads++
      this.#check('a read', conversationId, seen, expected)
    } catch (error) {
      this.verdict.failedReads++
      this.#example('failed read', (error as Error).message)
    }
  }

  /** Checks that each database alone holds all that was acknowledged, and both hold the same. */
  async compare(places: Readonly<Record<'primary' | 'backup', ReplicaBackend>>): Promise<void> {
    await this.hold(places)
    for (const conversationId of this.#acknowledged.keys()) {
      const primary = await placeContents(places.primary, conversationId)
      const backup = await placeContents(places.backup, conversationId)
      const [one, other] = [primary, backup].map((items) => items.map(describeItem))
      for (const line of one!.filter((text) => !other!.includes(text))) {
        this.#count('lost', `${conversationId}: only in the primary: ${line}`)
      }
      for (const line of other!.filter((text) => !one!.includes(text))) {
        this.#count('lost', `${conversationId}: only in the backup: ${line}`)
      }
    }
  }

  /** The same, but either may have more: saves that nobody was told of when a process was killed. */
  async hold(places: Readonly<Record<'primary' | 'backup', ReplicaBackend>>): Promise<void> {
    for (const [conversationId, expected] of this.#acknowledged) {
      for (const [name, place] of Object.entries(places)) {
        const items = await placeContents(place, conversationId)
        this.#check(`the ${name}`, conversationId, items.map(asMessage), expected)
      }
    }
  }

  #check(
    where: string,
    conversationId: string,
    seen: readonly Pick<ChatMessage, 'id' | 'content'>[],
    expected: ReadonlyMap<string, string>,
  ): void {
    const ids = new Set<string>()
    const contents = new Set<unknown>()
    let last = ''
    const known = this.#acknowledged.get(conversationId)
    for (const { id, content } of seen) {
      if (ids.has(id) || contents.has(content)) {
        this.#count('doubled', `${where} of ${conversationId}: ${id} ${JSON.stringify(content)}`)
      }
      ids.add(id)
      contents.add(content)
      const written = this.#contents.get(id)
      if (written !== undefined && written !== content) {
        this.#count('lost', `${where} of ${conversationId}: ${id} has other content`)
      }
      // One that is still on its way has no receipt yet.
      const position = known?.get(id) ?? last
      if (position < last) this.#count('reordered', `${where} of ${conversationId}: ${id}`)
      last = position
    }
    for (const id of expected.keys()) {
      if (!ids.has(id)) this.#count('lost', `${where} of ${conversationId} lacks ${id}`)
    }
  }

  #count(kind: Kind, example: string): void {
    this.verdict[kind]++
    this.#example(kind, example)
  }

  #example(kind: string, text: string): void {
    const alike = this.examples.filter((example) => example.startsWith(kind)).length
    if (alike < EXAMPLES_MAX) this.examples.push(`${kind}: ${text}`)
  }
}

function asMessage(item: Item): Pick<ChatMessage, 'id' | 'content'> {
  const { content } = JSON.parse((item.edited ?? item.appended)!) as Pick<ChatMessage, 'content'>
  return { id: item.id, content }
}

function describeItem({ id, position, appended, edited }: Item): string {
  return `${position} ${id} ${edited ?? appended}`
}
