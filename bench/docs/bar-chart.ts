/** Horizontal bars in groups, on one scale that begins at 0. */
export interface BarChart {
  readonly title: string
  /** Of the figures: `saves/s`. */
  readonly unit: string
  readonly groups: readonly {
    readonly label: string
    readonly bars: readonly { readonly name: string; readonly value: number }[]
  }[]
}

const WIDTH = 860
const NAME_WIDTH = 330
const VALUE_WIDTH = 80
const MARGIN = 16
const BAR = 16
const GAP = 6
const HEADING = 26
const NAME_LENGTH_MAX = 46
const OURS = '#1f6feb'
const OTHERS = '#9aa4b2'

/** An SVG that needs neither script nor font of its own, readable on a dark page as well. */
export function barChart({ title, unit, groups }: BarChart): string {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value))
  const most = Math.max(...values, Number.MIN_VALUE)
  const scale = (WIDTH - 2 * MARGIN - NAME_WIDTH - VALUE_WIDTH) / most
  const isMixed = groups.some((group) => group.bars.some(({ name }) => isOurs(name)))
  const parts: string[] = []
  let y = MARGIN + 18
  parts.push(text(MARGIN, y, `${title} (${unit})`, 'font-weight="600" font-size="15"'))
  for (const { label, bars } of groups) {
    y += HEADING
    if (label !== '') parts.push(text(MARGIN, y, label, 'font-weight="600"'))
    y += GAP
    for (const { name, value } of bars) {
      const length = Math.max(1, value * scale)
      const colour = isMixed && !isOurs(name) ? OTHERS : OURS
      const left = MARGIN + NAME_WIDTH
      parts.push(text(left - 8, y + BAR - 4, shortened(name), 'text-anchor="end"'))
      parts.push(
        `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
      )
      parts.push(text(left + length + 6, y + BAR - 4, figure(value)))
      y += BAR + GAP
    }
  }
  const height = y + MARGIN
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="sans-serif" font-size="12" fill="#1c2128">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

/** With as many digits as say something: `0.42`, `4.3`, `12,345`. */
export function figure(value: number): string {
  const size = Math.abs(value)
  if (Number.isInteger(value) || size >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(size >= 10 ? 1 : 2)
}

function isOurs(name: string): boolean {
  return name.includes('everthread')
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped(content)}</text>`
}

function shortened(name: string): string {
  return name.length <= NAME_LENGTH_MAX ? name : `${name.slice(0, NAME_LENGTH_MAX - 1)}…`
}

function escaped(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
