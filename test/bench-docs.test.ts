// Goal: docs/performance.md says what was measured and what was not. Method: the generator is given
// results, and none; what it makes of them is read.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { barChart, figure } from '../bench/docs/bar-chart.ts'
import { chartsOf } from '../bench/docs/charts.ts'
import { capacityFigures, performanceFigures, withGenerated } from '../bench/docs/figures.ts'
import { BENCHMARKS, GOALS } from '../bench/docs/goal-list.ts'
import type { Result } from '../bench/support/read-results.ts'
import { ROOT } from './support/source-files.ts'

const DOCUMENT = readFileSync(join(ROOT, 'docs', 'performance.md'), 'utf8')

const PEERS: Result = {
  name: 'peers',
  command: 'npm run bench peers',
  commit: 'abc1234',
  at: '2026-11-23T04:00:00.000Z',
  machine: {
    cores: 2,
    cpu: 'a | b',
    memoryGiB: 4,
    kernel: '6.1.0-vendor',
    node: 'v20.20.2',
    load: 1.5,
  },
  settings: { rounds: 7, leftOut: { other: 'wants another Node' } },
  rows: ['raw <pg>', 'everthread idempotent', 'latest 50 of 1000: raw <pg>'].map((name, i) => ({
    name,
    promise: 'primary',
    concurrency: 64,
    rate: 1000 * (i + 1),
    p50: 1.25,
    p99: 12.5,
    ratio: i + 1,
    p50Ratio: 1,
  })),
  goals: [
    { number: 7, measure: 'saves / best peer', atLeast: 3, value: 2, note: 'a slow disk' },
    { number: 7, measure: 'other saves / best peer', atLeast: 3, value: 4 },
  ],
}

function withFigures(document: string, results: readonly Result[]): string {
  return withGenerated(document, performanceFigures(results))
}

test('without results each goal and each benchmark is said to be not measured', () => {
  const text = withFigures(DOCUMENT, [])
  expect(text.match(/\| not measured \|/g)).toHaveLength(GOALS.length)
  expect(text.match(/^Not measured: /gm)).toHaveLength(BENCHMARKS.length)
})

test('a result stands there with its goals, its command and what was left out', () => {
  const text = withFigures(DOCUMENT, [PEERS])
  expect(text).toContain('| 7 | saves / best peer | ≥ 3 | 2 | **no** | a slow disk |')
  expect(text).toContain('| 7 | other saves / best peer | ≥ 3 | 4 | yes |  |')
  expect(text).toContain('`npm run bench peers`, commit abc1234, 2026-11-23: rounds 7.')
  expect(text).toContain(
    '| 64 | everthread idempotent | primary | 2,000 | 1.25 | 12.5 |  |  | 2.00 |',
  )
  expect(text).toContain('- left out: other: wants another Node')
  expect(text.match(/\| not measured \|/g)).toHaveLength(GOALS.length - 1)
})

test('figures are replaced, not added, and the prose stays', () => {
  const once = withFigures(DOCUMENT, [PEERS])
  expect(withFigures(once, [PEERS])).toBe(once)
  expect(withFigures(once, [])).toBe(withFigures(DOCUMENT, []))
  expect(once.startsWith(DOCUMENT.slice(0, DOCUMENT.indexOf('<!--')))).toBe(true)
})

test('what has no result can stay as it is', () => {
  const once = withFigures(DOCUMENT, [PEERS])
  const kept = withGenerated(once, performanceFigures([], once))
  expect(kept).toBe(once)
  const other = withGenerated(DOCUMENT, performanceFigures([PEERS], DOCUMENT))
  expect(other).toContain('| 7 | saves / best peer | ≥ 3 | 2 | **no** | a slow disk |')
  expect(other).not.toContain('| 8 | latest 50 of a long conversation / of a short one |')
})

test('a chart has a bar for each row, in proportion, and its text is escaped', () => {
  const [saves, reads] = chartsOf(PEERS)
  const svg = barChart(saves!)
  const widths = [...svg.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, w]) => w)
  expect(widths.map(Number)).toHaveLength(2)
  expect(Number(widths[1]) / Number(widths[0])).toBeCloseTo(2, 1)
  expect(svg).toContain('raw &lt;pg&gt;')
  expect(reads!.groups[0]!.bars.map(({ name }) => name)).toEqual(['raw <pg>'])
})

test('capacity: a load is divided by what a node and a primary may be loaded with', () => {
  const figures = {
    savesPerSecondOfNode: 1_000,
    savesPerSecondOfPrimary: 50_000,
    logBytesOfMessage: 2 ** 20,
    databaseLogBytesOfMessage: 2 ** 20,
    databaseBytesOfMessage: 1_000,
  }
  const text = capacityFigures([{ ...PEERS, name: 'capacity', figures }])
  // 600 a node and 30,000 a primary.
  expect(text).toContain('| 100,000 | 167 | 4 | 598.8 | 25000.0 | 8,047 |')
  expect(capacityFigures([])).toContain('Not measured')
})

test('the benchmark of every goal is there', () => {
  const known = BENCHMARKS.map(([name]) => name)
  expect(GOALS.filter(([, , benchmark]) => !known.includes(benchmark))).toEqual([])
})

test.each([
  [12_345.6, '12,346'],
  [123.4, '123'],
  [12.34, '12.3'],
  [0.123, '0.12'],
  [7, '7'],
])('%d is shown as %s', (value, shown) => {
  expect(figure(value)).toBe(shown)
})
