/*
 * Large content in an export: lines of its own before the first conversation that refers to it, each with a part.
 *   {"content":"content:sha256-…","mediaType":"image/png","size":5000000,"part":0,"data":"base64"}
 */
import type { ChatHistory } from '../../chat/chat-history.ts'
import { CONTENT_BYTES_MAX } from '../../chat/content/content-options.ts'
import { checkRef, type ContentRef } from '../../chat/content/content-ref.ts'
import { MIB } from '../../core/limits.ts'
import { BadLine } from '../jsonl/bad-line.ts'

/** Bytes of one part: a line is a third longer. */
const PART_BYTES = 3 * MIB
/** What such a line begins with. */
const BEGINNING = '{"content":"content:'
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

interface ContentLine {
  readonly content: ContentRef
  readonly mediaType?: string
  readonly size: number
  /** From 0; a content without bytes has one, which is empty. */
  readonly part: number
  readonly data: string
}

export interface WholeContent {
  readonly ref: ContentRef
  readonly mediaType: string | undefined
  readonly parts: readonly Uint8Array[]
}

/** @throws StorageError `NOT_FOUND`, `UNAVAILABLE` or `CORRUPT` as `readContent`, the last one behind the lines. */
export async function* contentLines(
  history: Pick<ChatHistory, 'readContent'>,
  ref: ContentRef,
): AsyncGenerator<string, void, undefined> {
  const { size, mediaType, stream } = await history.readContent(ref)
  let part = 0
  const lineOf = (bytes: Uint8Array): string => {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
    const line: ContentLine = {
      content: ref,
      ...(mediaType !== undefined && { mediaType }),
      size,
      part: part++,
      data,
    }
    return `${JSON.stringify(line)}\n`
  }
  let waiting: Uint8Array = new Uint8Array()
  for await (const bytes of stream()) {
    waiting = Buffer.concat([waiting, bytes])
    while (waiting.byteLength >= PART_BYTES) {
      yield lineOf(waiting.subarray(0, PART_BYTES))
      waiting = waiting.subarray(PART_BYTES)
    }
  }
  if (waiting.byteLength > 0 || part === 0) yield lineOf(waiting)
}

/** Puts the lines of a content together again. In memory is one content at a time. */
export class ContentGathering {
  #first: ContentLine | undefined
  #parts: Uint8Array[] = []
  #bytes = 0

  static isLine(text: string): boolean {
    return text.startsWith(BEGINNING)
  }

  /**
   * The content, once all of it is there.
   *
   * @throws BadLine for a line that is none, or that goes on with another content or part than is expected.
   */
  take(text: string): WholeContent | undefined {
    const line = parseContentLine(text)
    try {
      return this.#add(line)
    } catch (error) {
      this.#begin(undefined)
      throw error
    }
  }

  /** @throws BadLine when a content has begun and does not go on. */
  end(): void {
    const first = this.#first
    this.#begin(undefined)
    if (first !== undefined) throw new BadLine(`comes before the end of ${first.content}`)
  }

  #add(line: ContentLine): WholeContent | undefined {
    const { content: ref, size, part, data } = line
    if (part === 0) {
      if (this.#first !== undefined)
        throw new BadLine(`comes before the end of ${this.#first.content}`)
      this.#begin(line)
    } else if (this.#first?.content !== ref || part !== this.#parts.length) {
      throw new BadLine(`is part ${part} of ${ref} without the parts before it`)
    }
    const bytes = Buffer.from(data, 'base64')
    this.#parts.push(bytes)
    this.#bytes += bytes.byteLength
    if (this.#bytes > size) throw new BadLine(`has more bytes of ${ref} than its size, ${size}`)
    if (this.#bytes < size) return undefined
    const whole = { ref, mediaType: this.#first?.mediaType, parts: this.#parts }
    this.#begin(undefined)
    return whole
  }

  #begin(first: ContentLine | undefined): void {
    this.#first = first
    this.#parts = []
    this.#bytes = 0
  }
}

function parseContentLine(text: string): ContentLine {
  let line: Partial<Record<keyof ContentLine, unknown>>
  try {
    line = JSON.parse(text) as typeof line
  } catch {
    throw new BadLine('is not JSON')
  }
  const { content, mediaType, size, part, data } = line
  try {
    checkRef(content)
  } catch {
    throw new BadLine('content must be a reference')
  }
  const isCount = (value: unknown, max: number): boolean =>
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= max
  if (!isCount(size, CONTENT_BYTES_MAX)) {
    throw new BadLine(`size must be a number of bytes up to ${CONTENT_BYTES_MAX}`)
  }
  if (!isCount(part, CONTENT_BYTES_MAX)) throw new BadLine('part must be a number from 0')
  if (typeof data !== 'string' || !BASE64.test(data)) throw new BadLine('data must be base64')
  if (mediaType !== undefined && typeof mediaType !== 'string') {
    throw new BadLine('mediaType must be a string')
  }
  return line as ContentLine
}

/** The value with other texts in place of these, wherever they stand as a whole. */
export function renamed<T>(value: T, names: ReadonlyMap<string, string>): T {
  if (names.size === 0) return value
  if (typeof value === 'string') return (names.get(value) ?? value) as T
  if (Array.isArray(value)) return value.map((one: unknown) => renamed(one, names)) as T
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([name, one]) => [name, renamed(one as unknown, names)])
  return Object.fromEntries(fields) as T
}
