// Runs the suite under other versions of Node, which come from npm into a throw-away folder.
// `npm run test:nodes`, or `npm run test:nodes -- 24` for one of them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensurePostgres } from './ensure-postgres.mjs'
import { ensureRedis } from './ensure-redis.mjs'
import { runVitest, summary } from './run-vitest.mjs'

const VERSIONS = ['22', '24']

const wanted = process.argv.length > 2 ? process.argv.slice(2) : VERSIONS
const lines = []
ensurePostgres()
ensureRedis()
for (const version of wanted) {
  const folder = mkdtempSync(join(tmpdir(), `everthread-node${version}-`))
  try {
    const node = install(version, folder)
    const { counts, ok } = await runVitest({ node })
    lines.push(`Node ${version}: ${summary(counts)}`)
    if (!ok || counts.failed > 0) process.exitCode = 1
  } catch (error) {
    lines.push(`Node ${version}: ${error.message}`)
    process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
for (const line of lines) console.log(line)

function install(version, folder) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', `node@${version}`]
  const { status } = spawnSync('npm', args, {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const node = join(folder, 'node_modules/.bin/node')
  if (status !== 0 || !existsSync(node)) throw new Error('could not be installed from npm')
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  // Where install scripts are blocked the package is there, but not the program it brings.
  if (!stdout?.startsWith(`v${version}.`)) throw new Error(`npm brought ${stdout?.trim()} instead`)
  console.log(`\nNode ${stdout.trim()}`)
  return node
}
