const WIDE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
/** Drawn in two columns, by itself or because the mark behind it asks for a picture. */
const PICTURE = /^\p{Emoji_Presentation}|\ufe0f/u
/** Nothing but marks that stand above the character before, and characters that nobody sees. */
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
/** What needs no second look. */
const ASCII = /^[\u0020-\u007e]*$/

const SEGMENTER = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Columns that a printable text takes on a terminal, near enough for a table. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  let width = 0
  for (const { segment } of SEGMENTER.segment(text)) width += widthOf(segment)
  return width
}

/** The text in pieces that are at most this wide; no character is cut in two. */
export function cutText(text: string, width: number): string[] {
  const pieces: string[] = []
  let piece = ''
  let used = 0
  for (const { segment } of SEGMENTER.segment(text)) {
    const more = widthOf(segment)
    if (piece !== '' && used + more > width) {
      pieces.push(piece)
      piece = ''
      used = 0
    }
    piece += segment
    used += more
  }
  return [...pieces, piece]
}

/** The text in lines that are at most this wide, broken at spaces where there are any. */
export function wrapText(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text]
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (textWidth(longer) <= width) {
      line = longer
      continue
    }
    if (line !== '') lines.push(line)
    const pieces = cutText(word, width)
    line = pieces.pop()!
    lines.push(...pieces)
  }
  return [...lines, line]
}

/** The text in one line that is at most this wide, with `…` where it was cut off. */
export function shortenText(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  return width < 2 ? '' : `${cutText(text, width - 1)[0]!}…`
}

function widthOf(grapheme: string): number {
  if (WIDE.test(grapheme) || PICTURE.test(grapheme)) return 2
  return INVISIBLE.test(grapheme) ? 0 : 1
}
