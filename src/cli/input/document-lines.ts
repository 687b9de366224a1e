import { isJson } from '../../core/json.ts'
import { formatNamed, recogniseConversation, recogniseMessage } from '../formats/recognise.ts'
import type { ImportFormat } from '../formats/format.ts'
import { LINE_BYTES_MAX, type Line } from '../jsonl/read-lines.ts'
import { jsonValues, type JsonPiece } from './json-values.ts'

/** Elements of a list that are looked at until one says whether they are conversations or messages. */
const UNDECIDED_MAX = 100

export interface DocumentOptions {
  readonly format?: ImportFormat | undefined
  /** Name of the file in its archive. */
  readonly file?: string | undefined
  /** Default: 64 MiB. */
  readonly valueBytesMax?: number
}

/**
 * The conversations of a JSON document as if each stood in a line of its own: values at the top, and the
 * elements of a list. A list of messages is one conversation.
 */
export async function* documentLines(
  source: AsyncIterable<Uint8Array>,
  { format, file, valueBytesMax = LINE_BYTES_MAX }: DocumentOptions = {},
): AsyncGenerator<Line> {
  let number = 0
  const place = (bytes: number): { number: number; bytes: number; where: string } => {
    number++
    return {
      number,
      bytes,
      where: `conversation ${number}${file === undefined ? '' : ` of ${file}`}`,
    }
  }
  let list = new ElementList(format, valueBytesMax)
  for await (const piece of jsonValues(source, valueBytesMax)) {
    const ready = piece.kind === 'list-end' ? list.end() : piece.inList ? list.take(piece) : [piece]
    for (const { bytes, ...rest } of ready) {
      if (rest.kind === 'value') yield { ...place(bytes), text: rest.text }
      else yield { ...place(bytes), problem: rest.problem }
    }
    if (piece.kind === 'list-end') list = new ElementList(format, valueBytesMax)
  }
}

type Element = Exclude<JsonPiece, { readonly kind: 'list-end' }>

/** Decides what the elements of one list are, and gathers them if they are messages. */
class ElementList {
  readonly #format: ImportFormat | undefined
  readonly #bytesMax: number
  #are: 'conversations' | 'messages' | undefined
  #held: Element[] = []
  #bytes = 0

  constructor(format: ImportFormat | undefined, bytesMax: number) {
    this.#format = format
    this.#bytesMax = bytesMax
  }

  /** What is ready by now. */
  take(element: Element): readonly Element[] {
    if (this.#are === undefined) this.#are = this.#kindOf(element)
    if (this.#are === 'conversations') return [...this.#release(), element]
    this.#hold(element)
    if (this.#are === undefined && this.#held.length >= UNDECIDED_MAX) {
      this.#are = 'conversations'
      return this.#release()
    }
    return []
  }

  end(): readonly Element[] {
    if (this.#are !== 'messages') return this.#release()
    const bytes = this.#bytes
    const inList = false
    if (bytes > this.#bytesMax) {
      const problem = `is a list of messages of ${bytes} bytes, at most ${this.#bytesMax} are allowed`
      return [{ kind: 'problem', bytes, inList, problem }]
    }
    const elements = this.#release()
    // A message that is no JSON is null, which is refused at its place.
    const texts = elements.map((element) =>
      element.kind === 'value' && isJson(element.text) ? element.text : 'null',
    )
    return [{ kind: 'value', bytes, inList, text: `[${texts.join(',')}]` }]
  }

  #hold(element: Element): void {
    this.#bytes += element.bytes + 1
    if (this.#bytes <= this.#bytesMax) this.#held.push(element)
    else if (this.#are === 'messages') this.#held = []
    else {
      // Too much to be one conversation of messages: whatever they are, they are judged one by one.
      this.#are = 'conversations'
      this.#held.push(element)
    }
  }

  #release(): readonly Element[] {
    const held = this.#held
    this.#held = []
    this.#bytes = 0
    return held
  }

  #kindOf(element: Element): 'conversations' | 'messages' | undefined {
    if (element.kind !== 'value' || !isJson(element.text)) return undefined
    const value: unknown = JSON.parse(element.text)
    if (this.#format === 'everthread') return 'conversations'
    if (this.#format !== undefined) {
      const { isConversation, isMessage } = formatNamed(this.#format)
      if (isConversation(value)) return 'conversations'
      return isMessage === undefined || isMessage(value) ? isMessage && 'messages' : undefined
    }
    if (recogniseConversation(value) !== undefined) return 'conversations'
    return recogniseMessage(value) === undefined ? undefined : 'messages'
  }
}
