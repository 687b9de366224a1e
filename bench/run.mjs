// Builds the benchmarks beside the library and runs those named, or all.
import { execFileSync, spawnSync } from 'node:child_process'

const names = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['save', 'read']
execFileSync('npx', ['tsc', '-p', 'bench/tsconfig.json'], { stdio: 'inherit' })
for (const name of names) {
  const { status } = spawnSync(process.execPath, [`dist/bench/bench/${name}.js`], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
