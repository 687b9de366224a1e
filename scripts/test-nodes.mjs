// Runs the suites of SQLite, and a program with the packed package, under the oldest and the newest
// Node of each line that is supported. They come from npm into throw-away folders.
// `npm run test:nodes`; `npm run test:nodes -- 22 24.0.0` for some of them; with `--all` the whole
// suite. The last lines are a table.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensurePostgres } from './ensure-postgres.mjs'
import { ensureRedis } from './ensure-redis.mjs'
import { runVitest, summary } from './run-vitest.mjs'

/** Without a full number, the newest of its line. In 24.4.1 `node:sqlite` binds no `?1`. */
const VERSIONS = ['20.19.0', '20', '22.13.0', '22', '24.0.0', '24.4.1', '24', '26.0.0', '26']

/** What differs between versions: the library of SQLite, and its threads. */
const SUITES = ['src/backend/sqlite', 'test/integration/sqlite-threads.test.ts']

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const PROGRAM = join(ROOT, 'scripts/use-package.mjs')
/** From here on Node has SQLite itself, and the package needs nothing beside it. */
const BUILT_IN = [22, 13]

const isAll = process.argv.includes('--all')
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
if (isAll) {
  ensurePostgres()
  ensureRedis()
}
const temporary = mkdtempSync(join(tmpdir(), 'everthread-nodes-'))
const lines = []
try {
  const apps = packedApps(temporary)
  for (const version of named.length > 0 ? named : VERSIONS) lines.push(await tested(version, apps))
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
for (const line of lines) console.log(line)

async function tested(version, apps) {
  try {
    const { node, number } = install(version)
    const program = runPackage(node, hasSqlite(number) ? apps.bare : apps.withSqlite)
    const { counts, ok } = await runVitest({ node, args: isAll ? [] : SUITES })
    if (!ok || counts.failed > 0 || !program.ok) process.exitCode = 1
    return `Node ${number}: ${summary(counts)}; the package: ${program.text}`
  } catch (error) {
    process.exitCode = 1
    return `Node ${version}: ${error.message}`
  }
}

/** Folders of an application that has the package as it is published, and nothing or SQLite beside it. */
function packedApps(folder) {
  run('npm', ['run', '--silent', 'build'], ROOT)
  run('npm', ['pack', '--silent', '--pack-destination', folder], ROOT)
  const { version, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const packed = join(folder, `everthread-${version}.tgz`)
  const library = `@photostructure/sqlite@${devDependencies['@photostructure/sqlite']}`
  return {
    bare: application(join(folder, 'bare'), [packed]),
    withSqlite: application(join(folder, 'with-sqlite'), [packed, library]),
  }
}

function application(folder, packages) {
  npmInstall(folder, packages)
  copyFileSync(PROGRAM, join(folder, 'use-package.mjs'))
  return folder
}

function runPackage(node, folder) {
  const { status, stdout, stderr } = spawnSync(node, ['use-package.mjs'], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (status !== 0) console.error(stderr)
  return { ok: status === 0, text: status === 0 ? stdout.trim() : `failed with code ${status}` }
}

function install(version) {
  const folder = join(temporary, `node-${version}`)
  npmInstall(folder, [`node@${version}`])
  const node = join(folder, 'node_modules/.bin/node')
  if (!existsSync(node)) throw new Error('could not be installed from npm')
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  const number = String(stdout).trim().slice(1)
  // Where install scripts are blocked the package is there, but not the program it brings.
  if (!`${number}.`.startsWith(`${version}.`)) throw new Error(`npm brought ${number} instead`)
  console.log(`\nNode ${number}`)
  return { node, number }
}

function hasSqlite(number) {
  const [major, minor] = number.split('.').map(Number)
  return major > BUILT_IN[0] || (major === BUILT_IN[0] && minor >= BUILT_IN[1])
}

function npmInstall(folder, packages) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], folder)
}

function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${status}`)
}
