import { readLines, type Line } from '../jsonl/read-lines.ts'
import { documentLines, type DocumentOptions } from './document-lines.ts'

/** Bytes that are looked at to tell lines from a document that goes over many lines. */
const HEAD_BYTES_MAX: number = 64 * 1024

/** Begins every archive that has a file in it. */
export const ZIP = 'PK\u0003\u0004'

/**
 * What an import reads, line by line or conversation by conversation: JSON Lines where each line is a value,
 * one JSON document where it is laid out over lines or is a list.
 *
 * @throws Error for a zip, which cannot be read from its beginning.
 */
export async function* openLines(
  source: AsyncIterable<Uint8Array>,
  options: DocumentOptions = {},
): AsyncGenerator<Line> {
  const chunks = source[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  try {
    let text = ''
    while (!isEnough(text)) {
      const { done, value } = await chunks.next()
      if (done === true) break
      head.push(value)
      text = Buffer.concat(head).subarray(0, HEAD_BYTES_MAX).toString('latin1')
    }
    const { file } = options
    if (text.startsWith(ZIP)) {
      throw new Error(
        file === undefined
          ? 'a zip cannot be read from standard input: save it as a file and import that'
          : 'it is a zip in a zip: unpack it first',
      )
    }
    const all = rejoined(head, chunks)
    if (isDocument(text)) yield* documentLines(all, options)
    else if (file === undefined) yield* readLines(all)
    else
      for await (const line of readLines(all))
        yield { ...line, where: `line ${line.number} of ${file}` }
  } finally {
    await chunks.return?.()
  }
}

async function* rejoined(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* head
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

interface Beginning {
  /** The first line that is not empty, without spaces around it. */
  readonly line: string
  /** True when its end was seen. */
  readonly isWhole: boolean
  /** How the one after it begins; undefined as long as that is not known. */
  readonly next: string | undefined
}

function beginningOf(text: string): Beginning {
  const start = text.startsWith('\u00ef\u00bb\u00bf') ? 3 : 0
  const whole = text.slice(start).trimStart()
  const end = whole.indexOf('\n')
  if (end === -1) return { line: whole.trimEnd(), isWhole: false, next: undefined }
  const next = whole.slice(end).trimStart().at(0)
  return { line: whole.slice(0, end).trimEnd(), isWhole: true, next }
}

function isEnough(text: string): boolean {
  if (text.length >= HEAD_BYTES_MAX) return true
  const { line, isWhole, next } = beginningOf(text)
  return line.startsWith('[') || next !== undefined || (isWhole && !leavesOpen(line))
}

/**
 * True for JSON that goes over lines: a list, or an object whose first line leaves it open and whose second goes
 * on with it. A line that was torn, and is followed by the next one, is not taken for the beginning of a document.
 */
function isDocument(text: string): boolean {
  const { line, next } = beginningOf(text)
  if (line.startsWith('[')) return true
  if (!line.startsWith('{') || next === undefined || !leavesOpen(line)) return false
  switch (line.at(-1)) {
    case '{':
      return next === '"' || next === '}'
    case '[':
    case ',':
    case ':':
      return true
    default:
      return ',]}'.includes(next)
  }
}

/** True when brackets, and no text, are open at the end. */
function leavesOpen(line: string): boolean {
  let depth = 0
  let isText = false
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!
    if (isText) {
      if (char === '\\') i++
      else if (char === '"') isText = false
    } else if (char === '"') isText = true
    else if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') depth--
  }
  return depth > 0 && !isText
}
