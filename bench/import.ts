/*
 * What importing the core costs a program, in a process of its own each time: time and memory; and
 * what the modules of Node that it uses cost without it.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { explained } from './support/goal.ts'
import { median } from './support/measure.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 11)
const DIST = new URL('../../', import.meta.url)
const ENTRY = new URL('index.js', DIST).href
const PROGRAM = `
  gc()
  const before = process.memoryUsage()
  const start = performance.now()
  for (const name of process.argv.slice(1)) await import(name)
  const ms = performance.now() - start
  gc()
  const after = process.memoryUsage()
  console.log(JSON.stringify({ ms, bytes: after.rss - before.rss }))
`

interface Cost {
  readonly ms: number
  readonly bytes: number
}

function costOf(names: readonly string[]): Cost {
  const args = ['--expose-gc', '--input-type=module', '-e', PROGRAM, ...names]
  const text = execFileSync(process.execPath, args, {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  return JSON.parse(text) as Cost
}

/** The modules of Node that the entry and what it imports at once name. */
function nodeModules(): string[] {
  const texts = new Map<string, string>()
  const follow = (href: string): void => {
    if (texts.has(href)) return
    const text = readFileSync(new URL(href), 'utf8')
    texts.set(href, text)
    for (const [, path] of text.matchAll(/^(?:import|export)[^'"]*["'](\.[^'"]+)["']/gm)) {
      follow(new URL(path!, href).href)
    }
  }
  follow(ENTRY)
  const named = [...texts.values()].flatMap((text) => [...text.matchAll(/from ["'](node:[^'"]+)/g)])
  return [...new Set(named.map(([, name]) => name!))].sort()
}

const core: Cost[] = []
const bare: Cost[] = []
const builtin = nodeModules()
for (let round = 0; round < ROUNDS; round++) {
  core.push(costOf([ENTRY]))
  bare.push(costOf(builtin))
}
const importMs = median(core.map(({ ms }) => ms))
const rssMiB = median(core.map(({ bytes }) => bytes)) / 2 ** 20
const nodeMs = median(bare.map(({ ms }) => ms))
const nodeMiB = median(bare.map(({ bytes }) => bytes)) / 2 ** 20
const without = `of that ${builtin.join(', ')} alone`
await report('import', {
  figures: { importMs, rssMiB, nodeMs, nodeMiB },
  goals: [
    explained(
      { number: 23, measure: 'import of the core', atMost: 40, unit: 'ms', value: importMs },
      `${without}: ${nodeMs.toFixed(1)} ms`,
    ),
    explained(
      { number: 23, measure: 'memory of the core', atMost: 10, unit: 'MiB', value: rssMiB },
      `${without}: ${nodeMiB.toFixed(1)} MiB`,
    ),
  ],
  settings: { rounds: ROUNDS },
})
