import type { Env } from '../../../core/env.ts'
import type { Operation } from '../../../core/operation.ts'
import { maxStamp, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import type { Hint, WriterCursor } from '../../replica-backend.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import { markOf, type Layout, type Mark } from '../key/layout.ts'
import type { ListedObject } from '../protocol/xml.ts'

/** A writer's cursor that nobody raised for so long was its last. Milliseconds. */
const CURSOR_MS_MAX = 30 * 24 * 60 * 60_000

export interface Marks {
  readonly hints: readonly Hint[]
  readonly cursors: ReadonlyMap<string, number>
  readonly head: Stamp | undefined
  readonly trusted: { readonly count: number; readonly identity: string } | undefined
  readonly journals: readonly ListedObject[]
  /** Names that newer ones have made superfluous. */
  readonly superseded: readonly string[]
}

const NOTHING = new Uint8Array()

/**
 * Hints, cursors, the greatest stamp and whom the database trusts: empty objects whose names say it
 * all. Each is written under a name of its own, and the greatest of a kind counts, so that writers
 * never wait for each other and a request that arrives late changes nothing.
 */
export class MarkStore {
  readonly #env: Env
  readonly #client: S3Client
  readonly #layout: Layout
  #lastHint = 0
  /** The greatest stamp that is known to be marked. */
  #head: Stamp = STAMP_MIN
  /** Our own marks that stand, by what they are about. */
  readonly #own = new Map<string, string>()

  constructor(env: Env, client: S3Client, layout: Layout) {
    this.#env = env
    this.#client = client
    this.#layout = layout
  }

  /** All of them, with one list unless there are very many. */
  async read(call: S3Call): Promise<Marks> {
    const objects = await this.#client.listAll(this.#layout.marks, call)
    const read = this.#sort(objects)
    this.#head = maxStamp(this.#head, read.head ?? STAMP_MIN)
    return read
  }

  /** Raises the hint of a writer; its count is one that it never had. */
  async raiseHint(writer: string, call: S3Call): Promise<void> {
    const count = Math.max(this.#lastHint + 1, Math.floor(this.#env.now()) * 1_000)
    this.#lastHint = count
    await this.#replace(`hint ${writer}`, this.#layout.hint(writer, count), call)
  }

  /** Removes each hint whose count is still the same. */
  async removeHints(hints: readonly Hint[], call: S3Call): Promise<void> {
    for (const { writer, count } of hints) {
      const { objects } = await this.#client.list(this.#layout.hints(writer), {}, call)
      const counts = objects.flatMap(({ name }) => {
        const mark = markOf(this.#layout, name)
        return mark?.kind === 'hint' ? [{ name, count: mark.count }] : []
      })
      if (counts.some((mark) => mark.count > count)) continue
      await this.#client.delete(
        counts.map(({ name }) => name),
        call,
      )
    }
  }

  /** Notes what was written: the cursors of its writers, and the greatest stamp. */
  async wrote(
    operations: readonly Operation[],
    cursor: WriterCursor | undefined,
    call: S3Call,
  ): Promise<void> {
    let head = this.#head
    for (const operation of operations) head = maxStamp(head, stampOf(operation))
    if (cursor !== undefined) {
      const name = this.#layout.cursor(cursor.writer, cursor.lsn, head)
      await this.#replace(`cursor ${cursor.writer}`, name, call)
    } else if (head > this.#head) {
      await this.#replace('head', this.#layout.head(head), call)
    }
    this.#head = maxStamp(this.#head, head)
  }

  async trust(identity: string, call: S3Call): Promise<void> {
    const { trusted } = await this.read(call)
    if (trusted?.identity === identity) return
    const name = this.#layout.trusted((trusted?.count ?? 0) + 1, identity)
    await this.#client.put(name, NOTHING, call)
    if (trusted === undefined) return
    await this.#client.delete([this.#layout.trusted(trusted.count, trusted.identity)], call)
  }

  /** Writes the new mark, and then removes the one of ours that it takes the place of. */
  async #replace(about: string, name: string, call: S3Call): Promise<void> {
    await this.#client.put(name, NOTHING, call)
    const old = this.#own.get(about)
    // Calls may overtake each other: what is greater has the lesser name, and stays.
    if (old === undefined || name < old) this.#own.set(about, name)
    if (old === undefined || old === name) return
    const [stays, goes] = name < old ? [name, old] : [old, name]
    if (this.#headIn(goes) <= this.#headIn(stays)) this.#discard(goes)
  }

  #headIn(name: string): Stamp {
    const mark = markOf(this.#layout, name)
    return mark?.kind === 'cursor' || mark?.kind === 'head' ? mark.head : STAMP_MIN
  }

  /** Not waited for: what is left is removed by whoever reads the marks. */
  #discard(name: string): void {
    const signal = AbortSignal.timeout(10_000)
    this.#client.delete([name], { signal }).catch((error: unknown) => {
      this.#env.logger.debug({ error: String(error) }, 'S3: an old mark was not removed')
    })
  }

  #sort(objects: readonly ListedObject[]): Marks {
    const hints = new Map<string, number>()
    const cursors = new Map<string, number>()
    const journals: ListedObject[] = []
    const marks: { readonly object: ListedObject; readonly mark: Mark }[] = []
    let head: Stamp | undefined
    let trusted: Marks['trusted']
    for (const object of objects) {
      const mark = markOf(this.#layout, object.name)
      if (mark === undefined) continue
      marks.push({ object, mark })
      if (mark.kind === 'hint')
        hints.set(mark.writer, Math.max(mark.count, hints.get(mark.writer) ?? 0))
      else if (mark.kind === 'journal') journals.push(object)
      else if (mark.kind === 'trusted') trusted ??= { count: mark.count, identity: mark.identity }
      else head = maxStamp(head, mark.head)
      if (mark.kind === 'cursor') {
        cursors.set(mark.writer, Math.max(mark.lsn, cursors.get(mark.writer) ?? 0))
      }
    }
    const superseded = marks
      .filter(({ object, mark }) => this.#isSuperseded(object, mark, hints, cursors, head))
      .map(({ object }) => object.name)
    return {
      hints: [...hints].map(([writer, count]) => ({ writer, count })),
      cursors,
      head: head === STAMP_MIN ? undefined : head,
      trusted,
      journals,
      superseded,
    }
  }

  #isSuperseded(
    { modifiedMs }: ListedObject,
    mark: Mark,
    hints: ReadonlyMap<string, number>,
    cursors: ReadonlyMap<string, number>,
    head: Stamp | undefined,
  ): boolean {
    switch (mark.kind) {
      case 'hint':
        return mark.count < hints.get(mark.writer)!
      case 'head':
        return mark.head !== head
      case 'cursor': {
        if (mark.head === head) return false
        const isOld = this.#client.serverNow() - modifiedMs > CURSOR_MS_MAX
        return isOld || mark.lsn < cursors.get(mark.writer)!
      }
      case 'trusted':
      case 'journal':
        return false
    }
  }
}

/** The stamp that stays when the operation was applied: of a removal only its position does. */
function stampOf(operation: Operation): Stamp {
  return operation.kind === 'put' && operation.change === 'remove'
    ? operation.position
    : operation.stamp
}
