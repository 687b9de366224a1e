import { printableLine } from './printable.ts'
import { textWidth } from './text-width.ts'

/** Lines of a table with a heading; the last column is not padded. Cells are made printable. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [heading, ...rows].map((row) => row.map(printableLine))
  const widths = heading.map((_, column) =>
    Math.max(...cells.map((row) => textWidth(row[column] ?? ''))),
  )
  const lines = cells.map((row) => join(row, widths))
  return [lines[0]!, widths.map((width) => '-'.repeat(width)).join('  '), ...lines.slice(1)]
}

function join(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) =>
      column === row.length - 1 ? cell : cell + ' '.repeat(widths[column]! - textWidth(cell)),
    )
    .join('  ')
    .trimEnd()
}
