import type { DatabasePlace } from '../../core/operation.ts'
import type {
  AppendRecord,
  CheckOptions,
  ClearRecord,
  EditRecord,
  GetRecord,
  HistoryRecord,
  ReadRecord,
  RemoveRecord,
  SetRecord,
} from './history.ts'
import { effectEndMs, VisibleWrites } from './visibility.ts'

/** What decided an operation: a database, or a shared log. */
export type Decider = DatabasePlace | 'wal'

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
  readonly appends: AppendRecord[] = []
  /** Saves that happened together, by the name of their group. */
  readonly groups: Map<string, AppendRecord[]> = new Map()
  /** Ids by the content that reads show under them. */
  readonly #shownIds = new Map<string, string>()
  /** Clears that may have happened, by their start, and how long the earlier ones may act. */
  readonly #clears: ClearRecord[] = []
  readonly #clearEnds: Record<Decider | 'nobody', number[]> = {
    primary: [],
    backup: [],
    wal: [],
    nobody: [],
  }

  constructor(records: readonly HistoryRecord[], options: CheckOptions) {
    this.options = options
    this.visibleSets = new VisibleWrites(options)
    this.visibleClears = new VisibleWrites(options)
    for (const record of records) this.#add(record)
    this.#nameAppends()
    this.#indexClears()
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
    decider?: Decider,
  ): number {
    let low = 0
    let high = this.#clears.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#clears[middle]!.startMs <= settledMs) low = middle + 1
      else high = middle
    }
    return low === 0 ? Number.NEGATIVE_INFINITY : this.#clearEnds[decider ?? 'nobody'][low - 1]!
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
        if (!this.writers.has(record.content)) this.writers.set(record.content, record)
        return
      case 'edit':
        this.writers.set(record.content, record)
        if (record.outcome === 'none') return
        this.message(record.id).edits.add(record)
        this.message(record.id).isChanged = true
        return
      case 'remove': {
        if (record.outcome === 'none') return
        const log = this.message(record.id)
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
        this.#clears.push(record)
        this.visibleClears.add(record)
        return
      case 'read':
        if (record.outcome === 'ok') this.reads.push(record)
        return
      case 'get':
        if (record.outcome === 'ok') this.gets.push(record)
        return
    }
  }

  /** A save without an answer does not know its id; the reads that show it do. */
  #nameAppends(): void {
    for (const { messages } of this.reads) {
      for (const { id, content } of messages) this.#shownIds.set(content, id)
    }
    for (const append of this.appends) {
      const id = this.idOf(append)
      if (id === undefined || append.outcome === 'none') continue
      const log = this.message(id)
      log.appends.push(append)
      log.firstStartMs = Math.min(log.firstStartMs, append.startMs)
      log.lastEndMs = Math.max(log.lastEndMs, effectEndMs(append))
    }
  }

  #indexClears(): void {
    this.#clears.sort((a, b) => a.startMs - b.startMs)
    const { clockToleranceMs } = this.options
    for (const decider of ['primary', 'backup', 'wal', 'nobody'] as const) {
      let end = Number.NEGATIVE_INFINITY
      for (const clear of this.#clears) {
        const exact = decider !== 'nobody' && clear.copies?.includes(decider) === true
        end = Math.max(end, effectEndMs(clear) + (exact ? 0 : clockToleranceMs))
        this.#clearEnds[decider].push(end)
      }
    }
  }
}

/** What decided a save, when its receipt tells; not once a disk was lost. */
export function deciderOf(
  { copies = [] }: AppendRecord,
  { lostDisk = false, sequencer = false }: CheckOptions,
): Decider | undefined {
  if (lostDisk) return undefined
  if (copies.includes('primary')) return 'primary'
  if (copies.includes('backup')) return 'backup'
  return sequencer && copies.includes('wal') ? 'wal' : undefined
}
