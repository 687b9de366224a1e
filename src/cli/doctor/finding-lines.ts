import { printableLine } from '../output/printable.ts'
import type { Colour, Terminal } from '../output/terminal.ts'
import { wrapText } from '../output/text-width.ts'
import type { Finding, FindingLevel } from './finding.ts'

const COLOURS: Readonly<Record<FindingLevel, Colour>> = {
  ok: 'green',
  note: 'cyan',
  warning: 'yellow',
  error: 'red',
}

/** Columns of the place and of the level, with what stands between them. */
const PLACE = 9
const LEVEL = 9
const ARROW = '-> '
/** Narrower than this the text stands below its place. */
const TEXT_MIN = 24

/** One line for each finding, its advice below it, then how many there are. */
export function findingLines(findings: readonly Finding[], terminal: Terminal): string[] {
  const width = terminal.width
  const indent = width - PLACE - LEVEL < TEXT_MIN ? '  ' : ' '.repeat(PLACE + LEVEL)
  const lines = findings.flatMap(({ place, level, text, advice }, i) => {
    const isFirst = findings[i - 1]?.place !== place
    const name = terminal.colour('bold', (isFirst ? place : '').padEnd(PLACE))
    const head = `${name}${terminal.colour(COLOURS[level], level.padEnd(LEVEL))}`
    const told = wrapped(text, width - indent.length)
    const then = advice === undefined ? [] : wrapped(advice, width - indent.length - ARROW.length)
    const first = indent.length === 2 ? [head.trimEnd(), `${indent}${told[0]}`] : [head + told[0]!]
    return [
      ...(isFirst && i > 0 ? [''] : []),
      ...first,
      ...told.slice(1).map((line) => indent + line),
      ...then.map((line, at) => {
        const arrow = at === 0 ? ARROW : ' '.repeat(ARROW.length)
        return indent + terminal.colour('bold', arrow + line)
      }),
    ]
  })
  return [...lines, '', summary(findings, terminal)]
}

function wrapped(text: string, width: number): string[] {
  return wrapText(printableLine(text), width)
}

function summary(findings: readonly Finding[], terminal: Terminal): string {
  const count = (level: FindingLevel): number =>
    findings.filter((finding) => finding.level === level).length
  const parts = (['error', 'warning', 'note'] as const).flatMap((level) => {
    const found = count(level)
    return found === 0 ? [] : [`${found} ${level}${found === 1 ? '' : 's'}`]
  })
  if (count('error') > 0) return terminal.colour('red', `${parts.join(', ')}.`)
  if (count('warning') > 0) return terminal.colour('yellow', `${parts.join(', ')}.`)
  const rest = parts.length === 0 ? '' : ` (${parts.join(', ')})`
  return terminal.colour('green', `Nothing is wrong${rest}.`)
}
