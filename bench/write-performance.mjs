// `npm run bench:docs`: writes the figures of docs/performance.md and docs/scaling.md, and the charts in docs/images, from what
// is in bench/results. What was not measured is said to be so; the prose around is left as it is. With `-- --keep` what has no
// result here stays as it is.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import prettier from 'prettier'
import { barChart } from '../dist/bench/bench/docs/bar-chart.js'
import { chartsOf } from '../dist/bench/bench/docs/charts.js'
import {
  capacityFigures,
  performanceFigures,
  withGenerated,
} from '../dist/bench/bench/docs/figures.js'
import { readResults } from '../dist/bench/bench/support/read-results.js'

const IMAGES = new URL('../docs/images/', import.meta.url)

const isKept = process.argv.includes('--keep')
const results = await readResults()
await mkdir(IMAGES, { recursive: true })
for (const file of isKept ? [] : await readdir(IMAGES)) {
  // Of benchmarks that have no result any more.
  if (/^bench-.*\.svg$/.test(file)) await rm(new URL(file, IMAGES))
}
for (const chart of results.flatMap(chartsOf)) {
  await writeFile(new URL(`${chart.file}.svg`, IMAGES), barChart(chart))
}
await generate('performance.md', (before) => performanceFigures(results, isKept ? before : ''))
if (!isKept || results.some(({ name }) => name === 'capacity')) {
  await generate('scaling.md', () => capacityFigures(results))
}
const names = results.map(({ name }) => name).join(', ')
console.log(`the figures of ${names === '' ? 'nothing' : names} are in docs`)

async function generate(name, figuresOf) {
  const path = fileURLToPath(new URL(`../docs/${name}`, import.meta.url))
  const before = await readFile(path, 'utf8')
  const text = withGenerated(before, figuresOf(before))
  const config = await prettier.resolveConfig(path)
  await writeFile(path, await prettier.format(text, { ...config, filepath: path }))
}
