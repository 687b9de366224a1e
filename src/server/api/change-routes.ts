/*
 * Changes as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): the id of an event
 * is the cursor behind it, so that a browser that was cut off goes on where it was, at any process.
 */
import * as v from 'valibot'
import type { ChangeEvent } from '../../chat/changes/change.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { Refusal } from '../http/refusal.ts'
import { word } from '../http/query-kinds.ts'
import { route, type Route } from '../http/route.ts'

/** Silence that proxies take for a dead connection is longer; milliseconds. */
const HEARTBEAT_MS = 15_000
/** When a client that was cut off comes back; milliseconds. */
const RETRY_MS = 1_000

const Since = v.strictObject({ since: v.optional(word()), conversationId: v.optional(word()) })

/** How many streams there may be, and what ends them all. */
export interface StreamLimits {
  readonly max: number
  readonly signal: AbortSignal | undefined
}

export function changeRoutes({ max, signal }: StreamLimits): readonly Route[] {
  let open = 0
  const follow = (history: ChatHistory, request: Request, query: v.InferOutput<typeof Since>): Response => {
    if (open >= max) {
      throw new Refusal(429, `at most ${max} streams may be open`, { headers: { 'retry-after': '5' } })
    }
    const since = request.headers.get('last-event-id') ?? query.since
    const changes = history.subscribe({
      ...(since !== undefined && since !== '' && { since }),
      ...(query.conversationId !== undefined && { conversationId: query.conversationId }),
    })
    open++
    const lines = new EventLines(changes, { request, signal, ended: () => void open-- })
    return new Response(lines.stream(), {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
      },
    })
  }
  return [
    route({
      method: 'GET',
      path: '/api/changes',
      name: 'followChanges',
      summary: 'Changes of one conversation, or of all, as server-sent events.',
      scope: 'read',
      query: Since,
      run: async ({ history, request, query }) => follow(history, request, query),
    }),
  ]
}

type Changes = AsyncIterator<ChangeEvent> & { close(): void }

interface Lifetime {
  /** Held for as long as the stream is: the signal of one that nobody holds may never be told. */
  readonly request: Request
  readonly signal: AbortSignal | undefined
  readonly ended: () => void
}

/** Changes as text, with a comment where nothing happens for long. */
class EventLines {
  readonly #changes: Changes
  readonly #lifetime: Lifetime
  readonly #encoder = new TextEncoder()
  #heartbeat: NodeJS.Timeout | undefined
  #isEnded = false
  readonly #stop = (): void => this.#changes.close()

  constructor(changes: Changes, lifetime: Lifetime) {
    this.#changes = changes
    this.#lifetime = lifetime
    for (const signal of this.#signals) {
      signal.addEventListener('abort', this.#stop, { once: true })
      if (signal.aborted) this.#stop()
    }
  }

  get #signals(): readonly AbortSignal[] {
    const { request, signal } = this.#lifetime
    return signal === undefined ? [request.signal] : [request.signal, signal]
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(this.#encoder.encode(`retry: ${RETRY_MS}\n\n`))
        this.#heartbeat = setInterval(() => {
          // A reader that does not read is not sent more of them.
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(this.#encoder.encode(':\n\n'))
        }, HEARTBEAT_MS)
        this.#heartbeat.unref()
      },
      pull: async (controller) => {
        const { done, value } = await this.#changes.next().catch(() => ENDED)
        if (done === true) {
          this.#end()
          controller.close()
          return
        }
        const { cursor, type } = value
        const text = `id: ${cursor}\nevent: ${type}\ndata: ${JSON.stringify(value)}\n\n`
        controller.enqueue(this.#encoder.encode(text))
      },
      cancel: () => this.#end(),
    })
  }

  #end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearInterval(this.#heartbeat)
    this.#changes.close()
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#stop)
    this.#lifetime.ended()
  }
}

const ENDED = { done: true, value: undefined } as const
