// `npm run bench [NAME…]`: builds the benchmarks beside the library and runs those named, or all.
// At the end it prints the goals of all results that are in bench/results.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const all = readdirSync(new URL('./', import.meta.url))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .sort()
const names = process.argv.slice(2).length > 0 ? process.argv.slice(2) : [...all, 'failover']
const unknown = names.filter((name) => name !== 'failover' && !all.includes(name))
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; there are ${[...all, 'failover'].join(', ')}`)
  process.exit(2)
}

execFileSync('npx', ['tsc', '-p', 'bench/tsconfig.json'], { stdio: 'inherit', cwd: root })
const failed = []
for (const name of names) {
  console.log(`\n# ${name}`)
  const script = existsSync(new URL(`./${name}.mjs`, import.meta.url))
    ? `bench/${name}.mjs`
    : `dist/bench/bench/${name}.js`
  const { status } = spawnSync(process.execPath, ['--expose-gc', script], {
    stdio: 'inherit',
    cwd: root,
  })
  if (status !== 0) failed.push(name)
}
const { printGoals } = await import('../dist/bench/bench/support/goal.js')
const { readResults } = await import('../dist/bench/bench/support/read-results.js')
printGoals((await readResults()).flatMap(({ goals = [] }) => goals))
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`)
  process.exit(1)
}
