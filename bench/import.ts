/* What importing the core costs a program, in a process of its own each time: time and heap. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { median } from './support/measure.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 11)
const ENTRY = new URL('../../index.js', import.meta.url).href
const PROGRAM = `
  gc()
  const before = process.memoryUsage()
  const start = performance.now()
  await import(process.argv[1])
  const ms = performance.now() - start
  gc()
  const after = process.memoryUsage()
  console.log(JSON.stringify({ ms, bytes: after.rss - before.rss }))
`

const samples = Array.from({ length: ROUNDS }, () => {
  const args = ['--expose-gc', '--input-type=module', '-e', PROGRAM, ENTRY]
  const text = execFileSync(process.execPath, args, {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  return JSON.parse(text) as { readonly ms: number; readonly bytes: number }
})
const importMs = median(samples.map(({ ms }) => ms))
const rssMiB = median(samples.map(({ bytes }) => bytes)) / 2 ** 20
await report('import', {
  figures: { importMs, rssMiB },
  goals: [
    { number: 23, measure: 'import of the core', atMost: 40, unit: 'ms', value: importMs },
    { number: 23, measure: 'memory of the core', atMost: 10, unit: 'MiB', value: rssMiB },
  ],
  settings: { rounds: ROUNDS },
})
