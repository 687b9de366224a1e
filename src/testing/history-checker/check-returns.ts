import type { ConversationLog } from './conversation-log.ts'
import type { ReadRecord, Violation } from './history.ts'
import { mustSee } from './visibility.ts'

/**
 * A complete read without a message that it had to show tells that the message was cleared. Whatever
 * place answers later, the process that read it does not show the message again.
 */
export function* checkReturns(log: ConversationLog): Iterable<Violation> {
  for (const reads of byLife(log.reads).values()) {
    const complete = reads
      .filter((read) => read.complete && !read.paged && read.only === undefined)
      .sort((a, b) => a.settledMs! - b.settledMs!)
    let next = 0
    let earlier: { readonly read: ReadRecord; readonly ids: ReadonlySet<string> } | undefined
    for (const read of reads.sort((a, b) => a.startMs - b.startMs)) {
      for (; next < complete.length && complete[next]!.settledMs! <= read.startMs; next++) {
        const found = complete[next]!
        if (earlier !== undefined && earlier.read.startMs > found.startMs) continue
        earlier = { read: found, ids: new Set(found.messages.map(({ id }) => id)) }
      }
      if (earlier !== undefined) yield* checkPair(log, earlier.read, earlier.ids, read)
    }
  }
}

function* checkPair(
  log: ConversationLog,
  earlier: ReadRecord,
  ids: ReadonlySet<string>,
  read: ReadRecord,
): Iterable<Violation> {
  for (const { id, content } of read.messages) {
    const message = log.messages.get(id)
    const [append] = message?.appends ?? []
    if (ids.has(id) || append === undefined || message!.appends.length > 1) continue
    // A removal is not remembered as a clear is: a place that missed it may still show the message.
    if (message!.isChanged || !mustSee(append, earlier, log.options)) continue
    yield {
      kind: 'zombie',
      text: `${content} was gone in a complete read of this process, and is back`,
      records: [append, earlier, read],
    }
  }
}

function byLife(reads: readonly ReadRecord[]): Map<string, ReadRecord[]> {
  const lives = new Map<string, ReadRecord[]>()
  for (const read of reads) {
    const name = `${read.process} ${read.incarnation}`
    const list = lives.get(name)
    if (list === undefined) lives.set(name, [read])
    else list.push(read)
  }
  return lives
}
