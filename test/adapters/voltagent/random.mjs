/* Random choices that a seed repeats, and the databases that programs run on. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openChatHistory } from 'everthread'

/** Texts that stores are known to damage. */
export const TEXTS = [
  'hello',
  '',
  'NUL \0 inside',
  'lone \ud800 surrogate',
  'Grüße 漢字 👩‍👩‍👧 e\u0301',
  "'; DROP TABLE x; --",
  '__proto__',
  '\u2028\u2029',
]

/** A generator of 32-bit steps; its calls make a program. */
export class Choices {
  #state

  constructor(seed) {
    this.#state = (seed * 2654435761) >>> 0 || 1
  }

  below(n) {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state % n
  }

  of(values) {
    return values[this.below(values.length)]
  }

  oneIn(n) {
    return this.below(n) === 0
  }
}

/** Times of two steps differ, so that no order is left to chance. */
export async function nextMoment() {
  const start = Date.now()
  while (Date.now() <= start + 1) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Runs with a history in memory, and with one in files that is then read by another. */
export async function onEachDatabase(run) {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-adapter-'))
  const files = { primary: `sqlite:${folder}/one.db`, backup: `sqlite:${folder}/two.db` }
  try {
    for (const urls of [{ primary: 'memory:', backup: 'memory:' }, files]) {
      await using history = await openChatHistory({ ...urls, wal: 'memory:', logger: false })
      await run(history, urls.primary.split(':')[0])
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
