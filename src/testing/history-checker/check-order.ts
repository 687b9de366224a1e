import type { Stamp } from '../../core/stamp.ts'
import type { ConversationLog, MessageLog } from './conversation-log.ts'
import type { AppendRecord, ReadRecord, Violation } from './history.ts'
import { mustSee } from './visibility.ts'

/** A message that was saved once, under an id that was made for it: its place never changes. */
function onlyAppend(message: MessageLog | undefined): AppendRecord | undefined {
  if (message === undefined || message.appends.length !== 1) return undefined
  const [append] = message.appends
  return append!.outcome === 'ok' && append!.callersId !== true ? append : undefined
}

/**
 * True when the read must show the message where its receipt says. A message that had to be stamped
 * again may stand at its first place until what moved it has reached the reader; its id, when it
 * was made from the first stamp, tells that it never moved.
 */
function isPlaced(log: ConversationLog, append: AppendRecord, read: ReadRecord): boolean {
  if (append.settledMs! > read.startMs) return false
  return append.id === append.position || mustSee(append, read, log.options)
}

/** One order for everybody, and in it whatever a process knew of comes first. */
export function checkOrder(log: ConversationLog): Violation[] {
  return [...checkOneOrder(log), ...checkPositions(log), ...checkSessions(log)]
}

/**
 * Each read is a chain of what was acknowledged before it. There is one order that fits all reads
 * and all receipts if and only if the chains together have no cycle.
 */
function checkOneOrder(log: ConversationLog): Violation[] {
  const edges = new Map<string, Map<string, ReadRecord | undefined>>()
  const link = (from: string, to: string, read: ReadRecord | undefined): void => {
    let targets = edges.get(from)
    if (targets === undefined) edges.set(from, (targets = new Map()))
    if (!targets.has(to)) targets.set(to, read)
  }
  for (const read of log.reads) {
    let before: string | undefined
    for (const { id } of read.messages) {
      const append = onlyAppend(log.messages.get(id))
      if (append === undefined || !isPlaced(log, append, read)) continue
      if (before !== undefined && before !== id) link(before, id, read)
      before = id
    }
  }
  const placed = [...log.messages.values()]
    .map((message) => ({ id: message.id, position: onlyAppend(message)?.position }))
    .filter(({ position }) => position !== undefined)
    .sort((a, b) => (a.position! < b.position! ? -1 : 1))
  for (let i = 1; i < placed.length; i++) link(placed[i - 1]!.id, placed[i]!.id, undefined)
  const cycle = findCycle(edges)
  if (cycle === undefined) return []
  const reads = cycle.map((id, i) => edges.get(id)!.get(cycle[(i + 1) % cycle.length]!))
  return [
    {
      kind: 'order',
      text: `no order fits all reads: ${cycle.join(' < ')} < ${cycle[0]}`,
      records: reads.filter((read) => read !== undefined),
    },
  ]
}

/** A cycle, or undefined. Iterative: histories are long. */
function findCycle(
  edges: ReadonlyMap<string, ReadonlyMap<string, unknown>>,
): readonly string[] | undefined {
  const state = new Map<string, 'open' | 'done'>()
  for (const root of edges.keys()) {
    if (state.has(root)) continue
    const path: { readonly id: string; readonly next: Iterator<string> }[] = []
    const enter = (id: string): void => {
      state.set(id, 'open')
      path.push({ id, next: (edges.get(id) ?? new Map()).keys() as Iterator<string> })
    }
    enter(root)
    while (path.length > 0) {
      const top = path.at(-1)!
      const step = top.next.next()
      if (step.done === true) {
        state.set(top.id, 'done')
        path.pop()
      } else if (state.get(step.value) === 'open') {
        return path.slice(path.findIndex(({ id }) => id === step.value)).map(({ id }) => id)
      } else if (!state.has(step.value)) enter(step.value)
    }
  }
  return undefined
}

/** What a read says of a place agrees with the receipt, and reads are sorted. */
function* checkPositions(log: ConversationLog): Iterable<Violation> {
  for (const read of log.reads) {
    let before: Stamp | undefined
    for (const { id, content, position } of read.messages) {
      if (position === undefined) continue
      if (before !== undefined && position <= before && !read.paged) {
        yield { kind: 'order', text: `${content} is not sorted by position`, records: [read] }
      }
      before = position
      const append = onlyAppend(log.messages.get(id))
      if (append?.position === undefined || !isPlaced(log, append, read)) continue
      if (append.position === position) continue
      yield {
        kind: 'moved',
        text: `${content} was acknowledged at ${append.position} and is at ${position}`,
        records: [append, read],
      }
    }
  }
}

interface Moment {
  readonly atMs: number
  /** Ends come before starts: what ended as another began was known to it. */
  readonly order: 0 | 1
  readonly visit: () => Violation | undefined
}

/** Whatever a process had saved or read when a save began stands before it. */
function checkSessions(log: ConversationLog): Violation[] {
  const known = new Map<string, { position: Stamp; record: AppendRecord | ReadRecord }>()
  const learn = (record: AppendRecord | ReadRecord, position: Stamp | undefined): void => {
    const life = lifeOf(record)
    const before = known.get(life)
    if (position !== undefined && (before === undefined || position > before.position)) {
      known.set(life, { position, record })
    }
  }
  const moments: Moment[] = []
  for (const message of log.messages.values()) {
    const append = onlyAppend(message)
    if (append?.position === undefined) continue
    moments.push({ atMs: append.startMs, order: 1, visit: () => judge(append, known) })
    moments.push({
      atMs: append.settledMs!,
      order: 0,
      visit: () => {
        learn(append, append.position)
      },
    })
  }
  for (const read of log.reads) {
    const last = lastPosition(log, read)
    moments.push({
      atMs: read.settledMs!,
      order: 0,
      visit: () => {
        learn(read, last)
      },
    })
  }
  moments.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
  return moments.map(({ visit }) => visit()).filter((violation) => violation !== undefined)
}

/** The greatest position that the read told, or that a receipt had told of a message in it. */
function lastPosition(log: ConversationLog, read: ReadRecord): Stamp | undefined {
  let last: Stamp | undefined
  for (const { id, position } of read.messages) {
    const append = onlyAppend(log.messages.get(id))
    // Before it is acknowledged a message may still move.
    const told = append !== undefined && append.settledMs! <= read.startMs
    const known = position ?? (told ? append.position : undefined)
    if (known !== undefined && (last === undefined || known > last)) last = known
  }
  return last
}

/** What the save must come after is what its process knew when it began, not when it ended. */
function judge(
  append: AppendRecord,
  known: ReadonlyMap<string, { position: Stamp; record: AppendRecord | ReadRecord }>,
): Violation | undefined {
  const before = known.get(lifeOf(append))
  if (before === undefined || append.position! > before.position) return undefined
  return {
    kind: 'session-order',
    text: `${append.content} stands before ${before.position}, which its process knew when it was saved`,
    records: [before.record, append],
  }
}

function lifeOf({ process, incarnation }: { process: string; incarnation: number }): string {
  return `${process} ${incarnation}`
}
