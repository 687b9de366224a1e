import { groupBy } from '../../core/group-by.ts'
import type { Logger } from '../../core/logger.ts'
import { messageOf } from '../../core/errors.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { StreamEntry } from './entries.ts'
import type { StreamLink } from './link.ts'
import { ACKNOWLEDGE, RESEND, UNMARK } from './scripts/scripts.ts'

/** What the scripts call a place. */
export const LETTER: Readonly<Record<DatabasePlace, 'p' | 'b'>> = { primary: 'p', backup: 'b' }

/** Entries of one call: it holds the server up. */
const ENTRIES_MAX = 200
/** Entries that one call of RESEND looks at. */
const RESEND_ENTRIES = 500

interface Acknowledgement {
  readonly kind: 'acknowledge'
  readonly place: DatabasePlace
  readonly entry: StreamEntry
  /** Under which it is `untold`. */
  readonly name: string
}

interface Resend {
  readonly kind: 'resend'
  readonly place: DatabasePlace
}

type Task = Acknowledgement | Resend

/**
 * Tells the server what places have. In batches: while one is on its way the next one gathers. What
 * could not be told stays here until the server is back; telling it twice is harmless.
 */
export class Settler {
  readonly #link: StreamLink
  readonly #logger: Logger
  #tasks: Task[] = []
  #running: Promise<void> | undefined
  /** By number: what the server may still count as lacking. */
  readonly #untold: Readonly<Record<DatabasePlace, Map<string, number>>> = {
    primary: new Map(),
    backup: new Map(),
  }

  constructor(link: StreamLink, logger: Logger) {
    this.#link = link
    this.#logger = logger
  }

  get isIdle(): boolean {
    return this.#tasks.length === 0 && this.#running === undefined
  }

  /** Entries that the place has and the server may not know of: a copy of this moment. */
  untold(place: DatabasePlace): ReadonlySet<string> {
    return new Set(this.#untold[place].keys())
  }

  acknowledge(place: DatabasePlace, entry: StreamEntry): void {
    const name = `${entry.partition}:${entry.number}`
    const untold = this.#untold[place]
    untold.set(name, (untold.get(name) ?? 0) + 1)
    this.#tasks.push({ kind: 'acknowledge', place, entry, name })
    this.kick()
  }

  /** Everything that the server keeps is pending at the place again. */
  resend(place: DatabasePlace): void {
    this.#tasks.push({ kind: 'resend', place })
    this.#untold[place].clear()
    this.kick()
  }

  /** True when a `resend` was not told yet. */
  resends(place: DatabasePlace): boolean {
    return this.#tasks.some((task) => task.kind === 'resend' && task.place === place)
  }

  kick(): void {
    if (this.#running !== undefined || this.#tasks.length === 0 || !this.#link.connected) return
    this.#running = Promise.resolve()
      .then(() => this.#run())
      .finally(() => (this.#running = undefined))
  }

  /** Resolves when all that is here now was told, or could not be. */
  async flush(): Promise<void> {
    this.kick()
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      while (this.#tasks.length > 0) {
        const first = this.#tasks[0]!
        if (first.kind === 'resend') {
          await this.#resend(first.place)
          this.#tasks.shift()
          continue
        }
        const end = this.#tasks.findIndex(({ kind }) => kind === 'resend')
        const count = Math.min(ENTRIES_MAX, end === -1 ? this.#tasks.length : end)
        const batch = this.#tasks.slice(0, count) as Acknowledgement[]
        await this.#acknowledge(batch)
        this.#tasks.splice(0, count)
        for (const task of batch) this.#told(task)
      }
    } catch (error) {
      // The tasks stay; the next poll tries again.
      this.#logger.debug({ error: messageOf(error) }, 'the log could not be told what places have')
    }
  }

  #told({ place, name }: Acknowledgement): void {
    const untold = this.#untold[place]
    const left = (untold.get(name) ?? 0) - 1
    if (left > 0) untold.set(name, left)
    else untold.delete(name)
  }

  async #acknowledge(batch: readonly Acknowledgement[]): Promise<void> {
    const groups = groupBy(batch, ({ entry, place }) => `${entry.partition}/${place}`)
    await Promise.all([...groups.values()].map((group) => this.#acknowledgeGroup(group)))
  }

  async #acknowledgeGroup(group: readonly Acknowledgement[]): Promise<void> {
    const { entry: first, place } = group[0]!
    const args: string[] = [LETTER[place]]
    for (const { entry } of group) {
      const keys = entry.keys.get(entry.partition) ?? []
      const name = entry.keys.size > 1 ? entry.group : ''
      args.push(entry.number, String(entry.bytes), name, String(keys.length))
      for (const { key } of keys) args.push(key)
    }
    const finished = new Set(
      (await this.#link.call(first.partition, ACKNOWLEDGE, args)).map((number) => String(number)),
    )
    for (const { entry } of group) {
      if (entry.keys.size > 1 && finished.has(entry.number)) await this.unmark(entry)
    }
  }

  /** Takes away the marks of an entry that no place lacks any more. */
  async unmark({ partition, group, keys }: StreamEntry): Promise<void> {
    for (const [other, list] of keys) {
      if (other === partition) continue
      const names = list.map(({ key }) => key)
      await this.#link.call(other, UNMARK, [`${partition}/${group}`, '0', ...names])
    }
  }

  async #resend(place: DatabasePlace): Promise<void> {
    for (let partition = 0; partition < this.#link.partitions; partition++) {
      let from = '0'
      while (from !== '') {
        const args = [LETTER[place], from, String(RESEND_ENTRIES)]
        const [next] = await this.#link.call(partition, RESEND, args)
        from = String(next)
      }
    }
  }
}
