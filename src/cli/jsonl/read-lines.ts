/** Longest line, and longest conversation, of an import file, in bytes. */
export const LINE_BYTES_MAX: number = 64 * 1024 * 1024

interface LinePlace {
  /** From 1: of the line, or of the conversation where lines say nothing. */
  readonly number: number
  readonly bytes: number
  /** How people find it, where that is not `line NUMBER`. */
  readonly where?: string
}

export type Line =
  (LinePlace & { readonly text: string }) | (LinePlace & { readonly problem: string })

const LF = 0x0a
const CR = 0x0d

/**
 * Splits a stream of bytes into lines, numbered from 1. A line that is too long is skipped without
 * being kept in memory, one that is not UTF-8 is not guessed at: both come out with a `problem`.
 * Empty lines are left out; a byte order mark and carriage returns are taken off.
 */
export async function* readLines(
  source: AsyncIterable<Uint8Array>,
  lineBytesMax: number = LINE_BYTES_MAX,
): AsyncGenerator<Line> {
  let number = 1
  let bytes = 0
  let parts: Uint8Array[] = []

  function take(part: Uint8Array): void {
    bytes += part.byteLength
    if (bytes > lineBytesMax) parts = []
    else if (part.byteLength > 0) parts.push(part)
  }

  for await (const chunk of source) {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      take(chunk.subarray(start, end))
      const line = lineOf(number, bytes, parts, lineBytesMax)
      if (line !== undefined) yield line
      start = end + 1
      number++
      bytes = 0
      parts = []
    }
    take(chunk.subarray(start))
  }
  const last = lineOf(number, bytes, parts, lineBytesMax)
  if (last !== undefined) yield last
}

function lineOf(
  number: number,
  bytes: number,
  parts: readonly Uint8Array[],
  lineBytesMax: number,
): Line | undefined {
  if (bytes > lineBytesMax) {
    return { number, bytes, problem: `is ${bytes} bytes long, at most ${lineBytesMax} are allowed` }
  }
  let buffer = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  if (buffer.at(-1) === CR) buffer = buffer.subarray(0, -1)
  try {
    // Without `ignoreBOM` the decoder itself takes a byte order mark off.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: number !== 1 }).decode(buffer)
    return text.trim() === '' ? undefined : { number, bytes, text }
  } catch {
    return { number, bytes, problem: 'is not UTF-8' }
  }
}
