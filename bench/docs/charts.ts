import type { Row } from '../support/measure.ts'
import type { Result } from '../support/read-results.ts'
import type { BarChart } from './bar-chart.ts'

/** A chart of one benchmark, and the name of its file without the ending. */
export interface Chart extends BarChart {
  readonly file: string
}

const RATE = 'per second, more is better'
const RATIO = 'multiple of the driver alone, more is better'
const LATENCY = 'ms, less is better'

/** The charts of a benchmark; none where it has no rows of that kind. */
export function chartsOf({ name, rows = [] }: Result): Chart[] {
  const charts = definitions[name]?.(rows) ?? []
  return charts.filter(({ groups }) => groups.some(({ bars }) => bars.length > 0))
}

const definitions: Readonly<Record<string, (rows: readonly Row[]) => Chart[]>> = {
  save: (rows) => [ratios('bench-save', 'Saves to PostgreSQL', rows)],
  slow: (rows) => [ratios('bench-slow', 'Saves to PostgreSQL, each sync 2 ms longer', rows)],
  peers: (rows) => {
    const [reads, saves] = split(rows, ({ name }) => name.startsWith('latest'))
    return [
      {
        file: 'bench-peers-save',
        title: 'Saves to PostgreSQL',
        unit: RATE,
        groups: byConcurrency(saves, ({ rate }) => rate),
      },
      {
        file: 'bench-peers-read',
        title: 'The latest 50 of 1,000 messages, p50',
        unit: LATENCY,
        groups: [bars('', reads, ({ p50 }) => p50, /^latest.*?: /)],
      },
    ]
  },
  read: (rows) => [
    {
      file: 'bench-read',
      title: 'The latest 50 messages, p50',
      unit: LATENCY,
      groups: [bars('', rows, ({ p50 }) => p50)],
    },
  ],
  engines: (rows) => [
    {
      file: 'bench-engines',
      title: 'Redis and SQLite as primary',
      unit: RATE,
      groups: byConcurrency(rows, ({ rate }) => rate),
    },
  ],
  growth: (rows) => {
    const listed = rows.filter(({ name }) => !name.startsWith('latest'))
    const kinds = [/process/, /conversation/, /a message/]
    return [
      {
        file: 'bench-growth',
        title: 'Saves as it grows',
        unit: RATE,
        groups: kinds.map((kind) => {
          const own = listed.filter(({ name }) => kind.test(name))
          return bars('', own, ({ rate }) => rate)
        }),
      },
    ]
  },
}

function ratios(file: string, title: string, rows: readonly Row[]): Chart {
  return { file, title, unit: RATIO, groups: byConcurrency(rows, ({ ratio }) => ratio) }
}

function byConcurrency(rows: readonly Row[], value: (row: Row) => number): BarChart['groups'] {
  const concurrencies = [...new Set(rows.map(({ concurrency }) => concurrency))]
  return concurrencies.map((concurrency) => {
    const own = rows.filter((row) => row.concurrency === concurrency)
    return bars(`${concurrency} at a time`, own, value)
  })
}

function bars(
  label: string,
  rows: readonly Row[],
  value: (row: Row) => number,
  prefix: RegExp = /^$/,
): BarChart['groups'][number] {
  // Packages and versions are in the table.
  const short = (name: string): string => name.replace(prefix, '').replace(/ \(.*\)$/, '')
  const named = rows.map((row) => ({ name: short(row.name), value: value(row) }))
  return { label, bars: named }
}

function split<T>(items: readonly T[], first: (item: T) => boolean): [T[], T[]] {
  return [items.filter(first), items.filter((item) => !first(item))]
}
