/** Lets so many tasks run at once; the others wait their turn. */
export class Semaphore {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#free--
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

/** Runs the work for each value, so many at once; the results keep the order of the values. */
export async function mapLimited<From, To>(
  values: readonly From[],
  atOnce: number,
  work: (value: From) => Promise<To>,
): Promise<To[]> {
  const semaphore = new Semaphore(atOnce)
  return await Promise.all(values.map((value) => semaphore.run(() => work(value))))
}
