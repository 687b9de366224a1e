import type { CheckOptions, Read, RecordWrite, Write } from './history.ts'

/** When the effect of a write is over at the latest. */
export function effectEndMs(write: Write): number {
  return write.outcome === 'ok' ? write.settledMs! : Number.POSITIVE_INFINITY
}

/** What says of itself what it can know: a read, or a write that was judged by what one would show. */
export type View = Pick<
  Read,
  'process' | 'incarnation' | 'startMs' | 'settledMs' | 'complete' | 'final' | 'withoutLog'
>

/**
 * What a call must have known that was answered by what stands: whether an id is taken, whether there is
 * a message to change. Such an answer is as complete as a complete read.
 */
export function viewOf({ process, incarnation, startMs, settledMs }: Write): View {
  const ends = settledMs === undefined ? {} : { settledMs }
  return { process, incarnation, startMs, ...ends, complete: true, final: false }
}

/** True when the read must show this acknowledged write, unless something later undid it. */
export function mustSee(write: Write | RecordWrite, read: View, options: CheckOptions): boolean {
  const { lostDisk = false, sharedLog = false } = options
  if (write.outcome !== 'ok' || write.settledMs! > read.startMs) return false
  const copies = write.copies ?? []
  if (lostDisk && copies.length < 2) return false
  if (read.final) return true
  if (lostDisk && !read.complete) return false
  const same = write.process === read.process
  if (same && write.incarnation === read.incarnation) return true
  const own = same && !sharedLog
  if (own && copies.length >= 2 && !lostDisk && read.withoutLog !== true) return true
  if (!read.complete) return false
  return own || !isLogOnly(write, lostDisk)
}

/** Only the writer's log is certain to have it: a database may be the one that lost its disk. */
function isLogOnly({ copies = [] }: Write | RecordWrite, lostDisk: boolean): boolean {
  return copies.includes('wal') && copies.length <= (lostDisk ? 2 : 1)
}

/** Writes by the time they were settled; knows which of the early ones began last. */
class LatestStart<W extends Write> {
  readonly #writes: W[] = []
  readonly #latest: W[] = []
  #sorted = true

  add(write: W): void {
    this.#writes.push(write)
    this.#sorted = false
  }

  /** Of the writes settled by this time, the one that began last. */
  until(settledMs: number): W | undefined {
    if (!this.#sorted) this.#sort()
    let low = 0
    let high = this.#writes.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#writes[middle]!.settledMs! <= settledMs) low = middle + 1
      else high = middle
    }
    return low === 0 ? undefined : this.#latest[low - 1]
  }

  #sort(): void {
    this.#writes.sort((a, b) => a.settledMs! - b.settledMs!)
    this.#latest.length = 0
    for (const write of this.#writes) {
      const before = this.#latest.at(-1)
      this.#latest.push(before === undefined || write.startMs > before.startMs ? write : before)
    }
    this.#sorted = true
  }
}

/**
 * Answers in logarithmic time: of the acknowledged writes that a read must show, which one began
 * last? The rules are those of {@link mustSee}, a list for each.
 */
export class VisibleWrites<W extends Write> {
  readonly #options: CheckOptions
  readonly #lists = new Map<string, LatestStart<W>>()

  constructor(options: CheckOptions) {
    this.#options = options
  }

  add(write: W): void {
    if (write.outcome !== 'ok') return
    const { lostDisk = false } = this.#options
    const { process, incarnation, copies = [] } = write
    if (lostDisk && copies.length < 2) return
    this.#list('all').add(write)
    this.#list(`life ${process} ${incarnation}`).add(write)
    this.#list(`own ${process}`).add(write)
    if (copies.length >= 2) this.#list(`safe ${process}`).add(write)
    if (!isLogOnly(write, lostDisk)) this.#list('shared').add(write)
  }

  latest(read: View): W | undefined {
    const { lostDisk = false, sharedLog = false } = this.#options
    const { process, incarnation, startMs, complete, withoutLog = false } = read
    if (read.final) return this.#lists.get('all')?.until(startMs)
    if (lostDisk && !complete) return undefined
    const found = [
      this.#lists.get(`life ${process} ${incarnation}`)?.until(startMs),
      lostDisk || withoutLog || sharedLog
        ? undefined
        : this.#lists.get(`safe ${process}`)?.until(startMs),
      complete && !sharedLog ? this.#lists.get(`own ${process}`)?.until(startMs) : undefined,
      complete ? this.#lists.get('shared')?.until(startMs) : undefined,
    ]
    let latest: W | undefined
    for (const write of found) {
      if (write !== undefined && (latest === undefined || write.startMs > latest.startMs)) {
        latest = write
      }
    }
    return latest
  }

  #list(name: string): LatestStart<W> {
    let list = this.#lists.get(name)
    if (list === undefined) this.#lists.set(name, (list = new LatestStart()))
    return list
  }
}
