import { DATABASE_PLACES, type PlaceName } from '../../core/places.ts'
import type {
  AppendRecord,
  CheckOptions,
  ClearRecord,
  CountRecord,
  EditRecord,
  GetRecord,
  HistoryRecord,
  ListRecord,
  MessageWrite,
  ReadRecord,
  RemoveRecord,
  SetRecord,
  TruncateRecord,
  Write,
} from './history.ts'
import { effectEndMs, VisibleWrites } from './visibility.ts'

/** Everything that was done to one message. */
export interface MessageLog {
  readonly id: string
  readonly appends: AppendRecord[]
  readonly edits: VisibleWrites<EditRecord>
  readonly removes: VisibleWrites<RemoveRecord>
  firstStartMs: number
  /** When the last save had taken effect at the latest. */
  lastEndMs: number
  /** Edited or removed, or perhaps so. */
  isChanged: boolean
  /** When the first removal began; infinite when there was none. */
  removeStartMs: number
  /** Removals that may have happened. */
  readonly removals: RemoveRecord[]
  /** Saves, edits and removals of it that were refused. */
  readonly refused: MessageWrite[]
}

/** The records of one conversation, indexed for the checks. */
export class ConversationLog {
  readonly options: CheckOptions
  readonly messages: Map<string, MessageLog> = new Map()
  /** What wrote a content. */
  readonly writers: Map<string, AppendRecord | EditRecord> = new Map()
  readonly sets: Map<string, SetRecord> = new Map()
  readonly visibleSets: VisibleWrites<SetRecord>
  readonly visibleClears: VisibleWrites<ClearRecord>
  readonly reads: ReadRecord[] = []
  readonly gets: GetRecord[] = []
  readonly counts: (CountRecord | ListRecord)[] = []
  readonly appends: AppendRecord[] = []
  readonly #cuts: TruncateRecord[] = []
  /** Saves that happened together, by the name of their group. */
  readonly groups: Map<string, AppendRecord[]> = new Map()
  /** Ids by the content that reads show under them. */
  readonly #shownIds = new Map<string, string>()
  /** Clears that may have happened, by their start. */
  readonly clears: ClearRecord[] = []
  /** How long those up to each may act on what these places decided. */
  readonly #clearEnds: Map<string, readonly number[]> = new Map()

  constructor(records: readonly HistoryRecord[], options: CheckOptions) {
    this.options = options
    this.visibleSets = new VisibleWrites(options)
    this.visibleClears = new VisibleWrites(options)
    for (const record of records) this.#add(record)
    this.#nameAppends()
    for (const cut of this.#cuts) for (const removal of this.#removalsBy(cut)) this.#add(removal)
    this.clears.sort((a, b) => a.startMs - b.startMs)
  }

  /** True when a clear may have taken away by the end of the read what began at this time. */
  mayBeCleared(startMs: number, read: { readonly settledMs?: number }): boolean {
    return this.clearedThroughMs(read) >= startMs
  }

  /**
   * What began by this time may be cleared when the read ends. Whatever decided a save knew
   * each clear that it had acknowledged before, so clocks do not matter between the two.
   */
  clearedThroughMs(
    { settledMs = Number.POSITIVE_INFINITY }: { readonly settledMs?: number },
    deciders: readonly PlaceName[] = [],
  ): number {
    let low = 0
    let high = this.clears.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.clears[middle]!.startMs <= settledMs) low = middle + 1
      else high = middle
    }
    return low === 0 ? Number.NEGATIVE_INFINITY : this.#clearEndsFor(deciders)[low - 1]!
  }

  /** True when a clear may have taken away, by this time, what the acknowledged save said to stand. */
  mayBeClearedAfter(append: AppendRecord, untilMs: number): boolean {
    return this.clears.some((clear) => this.#mayClear(clear, append, untilMs))
  }

  #mayClear(clear: ClearRecord, append: AppendRecord, untilMs: number): boolean {
    if (clear.startMs > untilMs || knew(append, clear, this.options)) return false
    // A repeat is answered by what stood before it, whatever clear that was not known here.
    if (this.messages.get(append.id ?? '')!.appends.length > 1) return true
    return effectEndMs(clear) + this.options.clockToleranceMs >= append.startMs
  }

  /** True when a write had taken effect before another one was stamped. */
  isBefore(write: Write, later: Write): boolean {
    const slackMs = knew(later, write, this.options) ? 0 : this.options.clockToleranceMs
    return effectEndMs(write) + slackMs <= later.startMs
  }

  /** Undefined when neither a receipt nor any read tells. */
  idOf({ id, content }: AppendRecord): string | undefined {
    return id ?? this.#shownIds.get(content)
  }

  message(id: string): MessageLog {
    let log = this.messages.get(id)
    if (log === undefined) {
      log = {
        id,
        appends: [],
        edits: new VisibleWrites(this.options),
        removes: new VisibleWrites(this.options),
        firstStartMs: Number.POSITIVE_INFINITY,
        lastEndMs: Number.NEGATIVE_INFINITY,
        isChanged: false,
        removeStartMs: Number.POSITIVE_INFINITY,
        removals: [],
        refused: [],
      }
      this.messages.set(id, log)
    }
    return log
  }

  #add(record: HistoryRecord): void {
    switch (record.kind) {
      case 'append':
        this.appends.push(record)
        if (record.group !== undefined) {
          const group = this.groups.get(record.group)
          if (group === undefined) this.groups.set(record.group, [record])
          else group.push(record)
        }
        // One that was refused wrote nothing: another of this content did.
        if ((this.writers.get(record.content)?.outcome ?? 'none') === 'none') {
          this.writers.set(record.content, record)
        }
        return
      case 'edit':
        this.writers.set(record.content, record)
        if (record.outcome === 'none') {
          this.message(record.id).refused.push(record)
          return
        }
        this.message(record.id).edits.add(record)
        this.message(record.id).isChanged = true
        return
      case 'remove': {
        const log = this.message(record.id)
        if (record.outcome === 'none') {
          log.refused.push(record)
          return
        }
        log.removals.push(record)
        log.removes.add(record)
        log.isChanged = true
        log.removeStartMs = Math.min(log.removeStartMs, record.startMs)
        return
      }
      case 'set':
        this.sets.set(record.content, record)
        this.visibleSets.add(record)
        return
      case 'clear':
        if (record.outcome === 'none') return
        this.clears.push(record)
        this.visibleClears.add(record)
        return
      case 'read':
        if (record.outcome === 'ok') this.reads.push(record)
        return
      case 'get':
        if (record.outcome === 'ok') this.gets.push(record)
        return
      case 'count':
      case 'list':
        if (record.outcome === 'ok') this.counts.push(record)
        return
      case 'truncate':
        this.#cuts.push(record)
        return
      case 'swap':
      case 'swapped':
      case 'fork':
      case 'branch':
      case 'upload':
      case 'download':
        // Keys of their own: `check-swaps.ts`, `check-forks.ts`, `check-content.ts`.
        return
    }
  }

  /** What its process had read it removed; of what came meanwhile it may have removed any. */
  #removalsBy({ seen, isCertain = false, kind: _kind, ...cut }: TruncateRecord): RemoveRecord[] {
    const removal = { ...cut, kind: 'remove' } as const
    if (cut.outcome === 'none') return [removal]
    const sure = new Set(isCertain ? seen : [])
    const maybe = [...this.messages.values()].filter(({ id, firstStartMs }) => {
      return !sure.has(id) && firstStartMs <= (cut.settledMs ?? Number.POSITIVE_INFINITY)
    })
    return [
      ...[...sure].map((id) => ({ ...removal, id })),
      ...maybe.map(({ id }) => ({ ...removal, id, outcome: 'unknown' as const })),
    ]
  }

  /** A save without an answer does not know its id; the reads that show it do. */
  #nameAppends(): void {
    for (const { messages } of this.reads) {
      for (const { id, content } of messages) this.#shownIds.set(content, id)
    }
    for (const append of this.appends) {
      const id = this.idOf(append)
      if (id === undefined) continue
      const log = this.message(id)
      if (append.outcome === 'none') {
        log.refused.push(append)
        continue
      }
      log.appends.push(append)
      log.firstStartMs = Math.min(log.firstStartMs, append.startMs)
      log.lastEndMs = Math.max(log.lastEndMs, effectEndMs(append))
    }
  }

  #clearEndsFor(deciders: readonly PlaceName[]): readonly number[] {
    const name = deciders.join()
    const known = this.#clearEnds.get(name)
    if (known !== undefined) return known
    const ends: number[] = []
    let end = Number.NEGATIVE_INFINITY
    for (const clear of this.clears) {
      const isExact = deciders.some((place) => clear.copies?.includes(place) === true)
      end = Math.max(end, effectEndMs(clear) + (isExact ? 0 : this.options.clockToleranceMs))
      ends.push(end)
    }
    this.#clearEnds.set(name, ends)
    return ends
  }
}

/**
 * True when an acknowledged write had ended before another began, and whatever decided the other knew
 * of it: in the same life of a process, by a place that both name, or because the process could reach
 * the database that the first one names.
 */
export function knew(
  later: Write,
  earlier: Write,
  options: CheckOptions,
  deciders: readonly PlaceName[] = decidersOf(later, options),
): boolean {
  if (earlier.outcome !== 'ok' || earlier.settledMs! > later.startMs) return false
  if (earlier.process === later.process && earlier.incarnation === later.incarnation) return true
  if (options.lostDisk === true) return false
  const { copies = [] } = earlier
  if (later.together === true && copies.some((place) => place !== 'wal')) return true
  return deciders.some((place) => copies.includes(place))
}

/**
 * The same of an id: one database decides whether it is free, and every other place merges. Beside a common log
 * another process may have brought what that took while no database could be reached: then the log decided.
 */
export function knewId(later: Write, earlier: Write, options: CheckOptions): boolean {
  const mayBeLogged = later.together !== true && later.copies?.includes('wal') === true
  const [decider] =
    options.commonLog === true && mayBeLogged
      ? []
      : decidersOf(later, { ...options, sequencer: false })
  return knew(later, earlier, options, decider === undefined ? [] : [decider])
}

/** Places that knew what they had acknowledged before when they took a write; none once a disk was lost. */
export function decidersOf(write: Write, options: CheckOptions): readonly PlaceName[] {
  const { copies = [] } = write
  const { lostDisk = false, sequencer = false } = options
  if (lostDisk) return []
  const databases = DATABASE_PLACES.filter((place) => copies.includes(place))
  // What has an id of the caller's is placed by a database alone.
  const isPlaced = write.kind === 'append' && write.callersId === true && databases.length > 0
  return sequencer && copies.includes('wal') && !isPlaced ? [...databases, 'wal'] : databases
}
