import type { History, StreamRecord, StreamViewRecord, Violation } from './history.ts'

/**
 * What is shown of a message that is written as a stream: nothing but a beginning of what was appended, all that
 * was acknowledged before, never less than before, and the whole of it once it was ended.
 */
export function* checkStreams({ streams = [], views = [] }: History): Iterable<Violation> {
  const byId = new Map(streams.map((stream) => [stream.id, stream]))
  for (const view of views) {
    const stream = byId.get(view.id)
    if (view.outcome === 'ok' && stream !== undefined) yield* checkView(stream, view)
  }
  yield* checkShrunk(views)
}

function* checkView(stream: StreamRecord, view: StreamViewRecord): Iterable<Violation> {
  const { content, status } = view
  const records = [stream, view]
  const whole = stream.parts.join('')
  if (content !== undefined && !whole.startsWith(content)) {
    yield { kind: 'garbage', text: `${content} is no beginning of ${whole}`, records }
  }
  if (content !== undefined && stream.outcome === 'none' && !stream.isStarted) {
    yield { kind: 'garbage', text: `${stream.id} is shown, and was refused`, records }
  }
  if (!owes(stream, view)) return
  const least = acknowledgedBefore(stream, view.startMs)
  if (least === undefined) return
  if (content === undefined || content.length < least.length) {
    yield { kind: 'lost', text: `${content ?? 'nothing'} is shown of ${least}`, records }
  }
  const { ended } = stream
  if (ended === undefined || stream.settledMs === undefined || stream.settledMs > view.startMs)
    return
  if (status !== ended || content !== whole) {
    yield { kind: 'lost', text: `${stream.id} was ended and is ${status}: ${content}`, records }
  }
}

/** Of other processes, what their logs alone may have is not owed before the end. */
function owes(stream: StreamRecord, view: StreamViewRecord): boolean {
  if (!view.complete || view.withoutLog === true) return false
  return view.final || (stream.process === view.process && stream.incarnation === view.incarnation)
}

/** Undefined when not even the beginning was acknowledged. */
function acknowledgedBefore({ parts, flushedMs }: StreamRecord, atMs: number): string | undefined {
  const count = flushedMs.filter((ms) => ms < atMs).length
  return count === 0 ? undefined : parts.slice(0, count - 1).join('')
}

/** Within one life of a process a complete view does not show less than one before it. */
function* checkShrunk(views: readonly StreamViewRecord[]): Iterable<Violation> {
  const told = views.filter(({ outcome, complete, withoutLog }) => {
    return outcome === 'ok' && complete && withoutLog !== true
  })
  for (const view of told) {
    const earlier = told.find(
      (other) =>
        other.id === view.id &&
        other.process === view.process &&
        other.incarnation === view.incarnation &&
        other.settledMs! < view.startMs &&
        (other.content ?? '').length > (view.content ?? '').length,
    )
    if (earlier === undefined) continue
    const text = `${view.content ?? 'nothing'} is shown, and ${earlier.content} was`
    yield { kind: 'lost', text, records: [earlier, view] }
  }
}
