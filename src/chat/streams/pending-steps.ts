import { packStep, type Chunk } from './stream-items.ts'
import type { Step } from './step.ts'

/** Longest text of one step in a chunk. Characters. */
const TEXT_LENGTH_MAX = 65_536

interface Waiting {
  readonly step: Step
  /** Of an append: what came for the same place one after another. */
  readonly texts: string[]
  readonly name: string
  /** Of a value: characters of its JSON. */
  readonly length: number
}

/** Steps that were made and are not stored yet; texts for one place become one. */
export class PendingSteps {
  #waiting: Waiting[] = []
  #length = 0

  /** Roughly, of all that waits. Characters. */
  get length(): number {
    return this.#length
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  add(step: Step): void {
    const last = this.#waiting.at(-1)
    if ('set' in step) {
      const { length } = JSON.stringify(step.set)
      this.#waiting.push({ step, texts: [], name: '', length })
      this.#length += length
      return
    }
    const name = JSON.stringify(step.at)
    this.#length += step.append.length
    if (last?.name === name) last.texts.push(step.append)
    else this.#waiting.push({ step, texts: [step.append], name, length: 0 })
  }

  /**
   * The next steps of at most so many characters, but one at least. A text is not cut within a character,
   * and its first half waits for the second one, unless this is the end.
   */
  take(lengthMax: number, isEnd: boolean): Chunk['d'] {
    const taken: Step[] = []
    let room = lengthMax
    while (this.#waiting.length > 0 && room > 0) {
      const { step, texts, name, length } = this.#waiting[0]!
      if ('set' in step) {
        if (taken.length > 0 && length > room) break
        this.#waiting.shift()
        this.#length -= length
        room -= length
        taken.push(step)
        continue
      }
      const text = texts.length === 1 ? texts[0]! : texts.join('')
      const cut = cutOf(text, Math.min(room, TEXT_LENGTH_MAX), isEnd || this.#waiting.length > 1)
      const rest = text.slice(cut)
      if (rest === '') this.#waiting.shift()
      else this.#waiting[0] = { step, texts: [rest], name, length: 0 }
      if (cut > 0) taken.push({ at: step.at, append: text.slice(0, cut) })
      this.#length -= cut
      room -= cut
      if (cut === 0) break
    }
    return taken.map(packStep)
  }
}

/** How much of the text is taken: a character of two units is not taken apart. */
function cutOf(text: string, max: number, isLast: boolean): number {
  const cut = Math.min(text.length, max)
  const isWhole = cut === text.length && isLast
  const unit = text.charCodeAt(cut - 1)
  const isHalf = unit >= 0xd800 && unit <= 0xdbff
  return isHalf && !isWhole ? cut - 1 : cut
}
