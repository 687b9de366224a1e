import { bound, holds, type Goal } from '../support/goal.ts'
import type { Row } from '../support/measure.ts'
import type { Result } from '../support/read-results.ts'
import { figure } from './bar-chart.ts'
import { CAPACITY_HEAD, capacityRows, type CapacityFigures } from './capacity-table.ts'
import { chartsOf } from './charts.ts'
import { BENCHMARKS, GOALS } from './goal-list.ts'

const BEGIN = '<!-- figures: `npm run bench:docs` writes what follows, up to the next such line -->'
const END = '<!-- end of figures -->'
const GOAL_HEAD = ['#', 'measure', 'wanted', 'reached', 'holds', 'note'] as const
const NOT_MEASURED = 'not measured'

/** The document with its generated part replaced. Throws when it has no place for one. */
export function withGenerated(document: string, text: string): string {
  const begin = document.indexOf(BEGIN)
  const end = document.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`the document lacks ${BEGIN} or ${END}`)
  const before = document.slice(0, begin + BEGIN.length)
  return `${before}\n\n${text}\n\n${document.slice(end)}`
}

/** The generated part of docs/performance.md. What has no result stays as it stands in the document `before`. */
export function performanceFigures(results: readonly Result[], before = ''): string {
  const parts = [goalTable(results, before)]
  for (const [name, title] of BENCHMARKS) {
    const result = results.find((each) => each.name === name)
    const text = result === undefined ? sectionBefore(before, title) : section(result)
    parts.push(`### ${title}`, text ?? absent(name))
  }
  const known = new Set(['capacity', ...BENCHMARKS.map(([name]) => name)])
  for (const result of results.filter(({ name }) => !known.has(name))) {
    parts.push(`### \`${result.name}\``, section(result))
  }
  return parts.join('\n\n')
}

/** The generated part of docs/scaling.md. */
export function capacityFigures(results: readonly Result[]): string {
  const result = results.find(({ name }) => name === 'capacity')
  if (result === undefined) return absent('capacity')
  const rows = capacityRows(result.figures as unknown as CapacityFigures)
  return [table(CAPACITY_HEAD, rows), section(result)].join('\n\n')
}

function absent(name: string): string {
  return `Not measured: \`npm run bench ${name}\` has no result here.`
}

function goalTable(results: readonly Result[], before: string): string {
  const goals = results.flatMap((result) => result.goals ?? [])
  const rows = GOALS.flatMap(([number, what, benchmark]) => {
    const own = goals.filter((goal) => goal.number === number)
    if (own.length > 0) return own.map(goalRow)
    const stood = rowsBefore(before, String(number))
    if (stood.length > 0) return stood
    const hint = `\`npm run bench ${benchmark}\``
    return [[String(number), what, '', NOT_MEASURED, '', hint]]
  })
  return table(GOAL_HEAD, rows)
}

/** The cells of a goal's rows that were measured. */
function rowsBefore(before: string, number: string): string[][] {
  return before
    .split('\n')
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|')))
    .map((cells) => cells.slice(1, -1))
    .filter((cells) => cells.length === GOAL_HEAD.length && cells[0] === number)
    .filter((cells) => cells[3] !== NOT_MEASURED)
}

/** What stands under a heading, unless it is that nothing was measured. */
function sectionBefore(before: string, title: string): string | undefined {
  const [, rest] = before.split(`\n### ${title}\n`)
  const text = rest?.split(/\n### |\n<!-- end of figures/, 1)[0]!.trim()
  return text?.startsWith('Not measured') === true ? undefined : text
}

function goalRow(goal: Goal): string[] {
  const unit = goal.unit === undefined ? '' : ` ${goal.unit}`
  return [
    String(goal.number),
    goal.measure,
    bound(goal),
    `${figure(goal.value)}${unit}`,
    holds(goal) ? 'yes' : '**no**',
    goal.note ?? '',
  ]
}

function section(result: Result): string {
  const { rows = [], figures = {}, settings } = result
  const images = chartsOf(result).map(({ file, title }) => `![${title}](images/${file}.svg)`)
  const parts = [provenance(result), ...images]
  if (rows.length > 0) parts.push(rowTable(rows))
  const named = Object.entries(figures)
  if (named.length > 0) {
    parts.push(
      table(
        ['figure', 'value'],
        named.map(([name, value]) => [name, figure(value)]),
      ),
    )
  }
  const leftOut = Object.entries((settings['leftOut'] ?? {}) as Record<string, string>)
  if (leftOut.length > 0) {
    parts.push(leftOut.map(([name, reason]) => `- left out: ${name}: ${reason}`).join('\n'))
  }
  return parts.join('\n\n')
}

/** What a repetition needs. */
function provenance({ command, commit, at, machine, settings }: Result): string {
  const { cores, cpu, memoryGiB, kernel, node, load } = machine
  const simple = Object.entries(settings)
    .filter(([, value]) => typeof value !== 'object' || Array.isArray(value))
    .map(([name, value]) => `${name} ${String(value)}`)
  const loadText = load === undefined ? '' : `, load ${figure(Number(load))}`
  return [
    `\`${command}\`, commit ${commit}, ${at.slice(0, 10)}: ${simple.join(', ')}.`,
    `${cores} cores (${cpu}), ${memoryGiB} GiB, Linux ${String(kernel).split('-', 1)[0]}, Node ${node}${loadText}.`,
  ].join('\n')
}

function rowTable(rows: readonly Row[]): string {
  const head = [
    'at a time',
    'what',
    'promises, reads, or waits for',
    'per second',
    'p50 ms',
    'p99 ms',
    'CPU µs each',
    'heap MiB',
    '× first',
  ]
  return table(
    head,
    rows.map(({ concurrency, name, promise, rate, p50, p99, cpuUs, heapMiB, ratio }) => [
      String(concurrency),
      name,
      promise,
      figure(rate),
      figure(p50),
      figure(p99),
      cpuUs === undefined ? '' : figure(Math.round(cpuUs)),
      heapMiB === undefined ? '' : figure(Math.round(heapMiB)),
      ratio.toFixed(2),
    ]),
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/\|/g, '\\|').replace(/\n/g, ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
