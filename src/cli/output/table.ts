import { printableLine } from './printable.ts'
import { textWidth, wrapText } from './text-width.ts'

const GAP = '  '
/** No column becomes narrower than this to make a table fit: below it words fall to pieces. */
const COLUMN_MIN = 12

/** A table in lines, so that a row can be coloured whole. */
export interface TableLines {
  /** Empty where the width is too small for columns: each row then has its headings beside it. */
  readonly heading: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/**
 * Lays a table out within a width: columns are made narrower and their cells wrapped, and where even
 * that is too wide each row becomes a block of `heading  cell` lines. Nothing is left out. The last
 * column is not padded. Cells are made printable.
 */
export function table(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  width: number = Number.POSITIVE_INFINITY,
): TableLines {
  const cells = rows.map((row) => heading.map((_, column) => printableLine(row[column] ?? '')))
  const natural = heading.map((name, column) =>
    Math.max(textWidth(name), ...cells.map((row) => textWidth(row[column]!))),
  )
  const widths = narrowed(natural, width - GAP.length * (heading.length - 1))
  if (widths === undefined) return blocks(heading, cells, width)
  const rule = widths.map((columns) => '-'.repeat(columns)).join(GAP)
  return {
    heading: [...lineUp(heading, widths), rule],
    rows: cells.map((row) => lineUp(row, widths)),
  }
}

/** The widest columns give way first; undefined when it does not fit all the same. */
function narrowed(natural: readonly number[], width: number): number[] | undefined {
  const widths = [...natural]
  let excess = sum(widths) - width
  while (excess > 0) {
    const widest = Math.max(...widths)
    if (widest <= COLUMN_MIN) return undefined
    // Down to the next narrower one at once: a cell may be very long.
    const next = Math.max(COLUMN_MIN, ...widths.filter((columns) => columns < widest))
    const ties = widths.filter((columns) => columns === widest).length
    const cut = Math.min(widest - next, Math.ceil(excess / ties))
    widths[widths.lastIndexOf(widest)]! -= cut
    excess -= cut
  }
  return widths
}

/** The lines of one row: as many as its highest cell has. */
function lineUp(row: readonly string[], widths: readonly number[]): string[] {
  const wrapped = row.map((cell, column) => wrapText(cell, widths[column]!))
  const height = Math.max(...wrapped.map((lines) => lines.length))
  return Array.from({ length: height }, (_, i) =>
    wrapped
      .map((lines, column) => pad(lines[i] ?? '', widths[column]!))
      .join(GAP)
      .trimEnd(),
  )
}

function blocks(
  heading: readonly string[],
  cells: readonly (readonly string[])[],
  width: number,
): TableLines {
  const names = Math.max(...heading.map(textWidth))
  const rest = Math.max(COLUMN_MIN, width - names - GAP.length)
  const rows = cells.map((row, i) => [
    ...(i === 0 ? [] : ['']),
    // What has no value has nothing to say here.
    ...row.flatMap((cell, column) =>
      (cell === '' ? [] : wrapText(cell, rest)).map((line, part) =>
        `${pad(part === 0 ? heading[column]! : '', names)}${GAP}${line}`.trimEnd(),
      ),
    ),
  ])
  return { heading: [], rows }
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
