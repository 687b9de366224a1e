// `npm run bench:docs`: writes the figures of docs/performance.md, and the charts in docs/images, from what
// is in bench/results. What was not measured is said to be so; the prose around is left as it is.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import prettier from 'prettier'
import { barChart } from '../dist/bench/bench/docs/bar-chart.js'
import { chartsOf } from '../dist/bench/bench/docs/charts.js'
import { withFigures } from '../dist/bench/bench/docs/figures.js'
import { readResults } from '../dist/bench/bench/support/read-results.js'

const DOCUMENT = fileURLToPath(new URL('../docs/performance.md', import.meta.url))
const IMAGES = new URL('../docs/images/', import.meta.url)

const results = await readResults()
await mkdir(IMAGES, { recursive: true })
for (const file of await readdir(IMAGES)) {
  // Of benchmarks that have no result any more.
  if (/^bench-.*\.svg$/.test(file)) await rm(new URL(file, IMAGES))
}
for (const chart of results.flatMap(chartsOf)) {
  await writeFile(new URL(`${chart.file}.svg`, IMAGES), barChart(chart))
}
const text = withFigures(await readFile(DOCUMENT, 'utf8'), results)
const config = await prettier.resolveConfig(DOCUMENT)
await writeFile(DOCUMENT, await prettier.format(text, { ...config, filepath: DOCUMENT }))
console.log(`docs/performance.md has the figures of ${results.map(({ name }) => name).join(', ')}`)
