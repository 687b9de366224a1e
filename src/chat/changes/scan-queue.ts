import type { Env } from '../../core/env.ts'
import { sleep } from '../../core/time.ts'

/** After a scan the others wait this many times as long as it took. */
const REST_FACTOR = 3

/** Scans of whole conversations, one at a time: at most a quarter of the time goes to them. */
export class ScanQueue {
  readonly #env: Env
  #last: Promise<void> = Promise.resolve()

  constructor(env: Env) {
    this.#env = env
  }

  async run(scan: () => Promise<void>): Promise<void> {
    let restMs = 0
    const scanned = this.#last.then(async () => {
      const startedAt = this.#env.monotonic()
      await scan().finally(() => {
        restMs = (this.#env.monotonic() - startedAt) * REST_FACTOR
      })
    })
    const rest = (): Promise<void> => sleep(this.#env, restMs)
    this.#last = scanned.then(rest, rest)
    await scanned
  }
}
