/*
 * OpenAI refuses what its model thought (a `reasoning` item) without the item right behind it, and that item
 * without what was thought. So both are one: messages are given from the latest backwards, and one that may
 * be led is held until it is known what stands in front of it.
 */
import type { PlacedMessage } from '../conversation-pages.ts'

/** Ties what a model thought to what it led to. */
export class LedMessages {
  #held: PlacedMessage | undefined
  #led: PlacedMessage[] = []

  /** True while a message waits for the one in front of it. */
  get isHolding(): boolean {
    return this.#held !== undefined
  }

  /**
   * Takes older messages, latest first, and gives those that are known now, in the same order. What leads to
   * nothing has itself as what it led to.
   */
  add(messages: readonly PlacedMessage[], isLast: boolean): PlacedMessage[] {
    const known: PlacedMessage[] = []
    for (const message of messages) {
      if (this.#held !== undefined && message.use.leads === true) {
        this.#led.push(message)
        continue
      }
      known.push(...this.#release())
      if (message.use.isLed === true) this.#held = message
      else known.push(message)
    }
    if (isLast) known.push(...this.#release())
    return known
  }

  #release(): PlacedMessage[] {
    if (this.#held === undefined) return []
    const message =
      this.#led.length === 0 ? this.#held : { ...this.#held, led: this.#led.toReversed() }
    this.#held = undefined
    this.#led = []
    return [message]
  }
}
