import { LINE_BYTES_MAX } from '../jsonl/read-lines.ts'

/** What a JSON document has at its top: values, and the elements of lists. */
export type JsonPiece =
  | {
      readonly kind: 'value'
      readonly bytes: number
      readonly text: string
      readonly inList: boolean
    }
  | {
      readonly kind: 'problem'
      readonly bytes: number
      readonly problem: string
      readonly inList: boolean
    }
  | { readonly kind: 'list-end' }

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const BRACE = 0x7b
const BRACE_END = 0x7d
const LF = 0x0a
const MARK = [0xef, 0xbb, 0xbf]

/**
 * Cuts JSON into values without reading it whole, however it is laid out: lists at the top are opened, and
 * each of their elements comes out alone. Only brackets and quotes are looked at: whether a value is JSON is for
 * its reader to find out. One that is too long is skipped without being kept in memory.
 */
export async function* jsonValues(
  source: AsyncIterable<Uint8Array>,
  valueBytesMax: number = LINE_BYTES_MAX,
): AsyncGenerator<JsonPiece> {
  const splitter = new Splitter(valueBytesMax)
  for await (const chunk of source) yield* splitter.take(chunk)
  yield* splitter.end()
}

type ValueKind = 'brackets' | 'text' | 'word'

class Splitter {
  readonly #bytesMax: number
  #inList = false
  /** What the running value is; undefined between two values. */
  #kind: ValueKind | undefined
  #depth = 0
  #inText = false
  #escaped = false
  #parts: Uint8Array[] = []
  #bytes = 0
  /** True until there was something that is no byte order mark. */
  #isBeginning = true

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  *take(chunk: Uint8Array): Generator<JsonPiece> {
    let at = 0
    while (at < chunk.length) {
      if (this.#kind === undefined) {
        const byte = chunk[at]!
        if (this.#isBetween(byte)) {
          at++
          if (byte === BRACKET_END && this.#inList) {
            this.#inList = false
            yield { kind: 'list-end' }
          } else if (byte === BRACKET && !this.#inList) this.#inList = true
          continue
        }
        this.#begin(byte)
      }
      const end = this.#endIn(chunk, at)
      this.#keep(chunk.subarray(at, end ?? chunk.length))
      at = end ?? chunk.length
      if (end !== undefined) yield this.#value()
    }
  }

  *end(): Generator<JsonPiece> {
    if (this.#kind === 'word') yield this.#value()
    else if (this.#kind !== undefined) {
      const { inList, bytes } = { inList: this.#inList, bytes: this.#bytes }
      this.#clear()
      yield { kind: 'problem', bytes, inList, problem: 'ends in the middle: the file is cut off' }
    } else if (this.#inList) {
      const problem = 'is missing: the file ends before its list does'
      yield { kind: 'problem', bytes: 0, inList: true, problem }
    }
    if (this.#inList) yield { kind: 'list-end' }
    this.#inList = false
  }

  /** True for what stands between values: space, commas, the brackets of a list, a byte order mark. */
  #isBetween(byte: number): boolean {
    this.#isBeginning &&= MARK.includes(byte)
    if (byte === BRACKET) return !this.#inList
    if (byte === BRACKET_END) return this.#inList
    return this.#isBeginning || byte === COMMA || isSpace(byte)
  }

  #begin(byte: number): void {
    this.#kind = byte === QUOTE ? 'text' : byte === BRACE || byte === BRACKET ? 'brackets' : 'word'
    this.#depth = 0
    this.#inText = false
    this.#escaped = false
  }

  /** The index behind the running value; undefined when it goes on in the next chunk. */
  #endIn(chunk: Uint8Array, start: number): number | undefined {
    for (let i = start; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) {
          this.#inText = false
          if (this.#kind === 'text') return i + 1
        }
      } else if (this.#kind === 'word') {
        // What is no JSON at all goes to the end of its line.
        if (byte === LF || byte === COMMA || (byte === BRACKET_END && this.#inList)) return i
      } else if (byte === QUOTE) this.#inText = true
      else if (byte === BRACE || byte === BRACKET) this.#depth++
      else if (byte === BRACE_END || byte === BRACKET_END) {
        this.#depth--
        if (this.#depth === 0) return i + 1
      }
    }
    return undefined
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.byteLength
    if (this.#bytes > this.#bytesMax) this.#parts = []
    else if (part.byteLength > 0) this.#parts.push(part)
  }

  #value(): JsonPiece {
    const { bytes, inList } = { bytes: this.#bytes, inList: this.#inList }
    const parts = this.#parts
    this.#clear()
    if (bytes > this.#bytesMax) {
      const problem = `is ${bytes} bytes long, at most ${this.#bytesMax} are allowed`
      return { kind: 'problem', bytes, inList, problem }
    }
    try {
      const buffer = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(buffer)
      return { kind: 'value', bytes, inList, text }
    } catch {
      return { kind: 'problem', bytes, inList, problem: 'is not UTF-8' }
    }
  }

  #clear(): void {
    this.#kind = undefined
    this.#parts = []
    this.#bytes = 0
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === LF || byte === 0x0d || byte === 0x09
}
