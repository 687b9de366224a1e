import { shortenText } from './text-width.ts'
import { widthOf, type OutputStream } from './terminal.ts'

const REDRAW_MS = 100
const BAR_WIDTH = 24

export interface ProgressState {
  /** Of the whole, 0 to 1; undefined when the whole is not known. */
  readonly fraction?: number
  readonly text: string
}

/** One line on standard error that is drawn over and over; nothing at all off a terminal. */
export class Progress {
  readonly #stream: OutputStream
  readonly #now: () => number
  #drawnAt = Number.NEGATIVE_INFINITY
  #drawn = false

  constructor(stream: OutputStream, now: () => number = () => performance.now()) {
    this.#stream = stream
    this.#now = now
  }

  update(state: () => ProgressState): void {
    if (this.#stream.isTTY !== true) return
    const now = this.#now()
    if (now - this.#drawnAt < REDRAW_MS) return
    this.#drawnAt = now
    this.#drawn = true
    const { fraction, text } = state()
    const line = `${fraction === undefined ? '' : `${bar(fraction)} `}${text}`
    // One column stays free: a line that reaches the end begins another one, which would stay.
    this.#stream.write(`\r\u001b[2K${shortenText(line, widthOf(this.#stream) - 1)}`)
  }

  /** Takes the line away, before anything else is printed. */
  clear(): void {
    if (this.#drawn) this.#stream.write('\r\u001b[2K')
    this.#drawn = false
    this.#drawnAt = Number.NEGATIVE_INFINITY
  }
}

function bar(fraction: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH)
  const percent = `${Math.floor(Math.min(1, fraction) * 100)}`.padStart(3)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${percent} %`
}
