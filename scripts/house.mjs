/*
 * Measures the structure of the sources: `npm run house -- [options]`.
 *
 *   --trips   also runs one save, one page and one save with its flush on PostgreSQL, SQLite and a log in
 *             files, and counts the files, functions and calls of the sources that each goes through, and
 *             the timers that it sets. Starts a server of its own.
 *
 * Prints lines of code without tests, exports that one module or none imports, methods that only forward,
 * and circles of imports.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compileSources } from './compile-sources.mjs'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const { values } = parseArgs({ options: { trips: { type: 'boolean', default: false } } })

const files = new Map(
  ['src', 'simulator'].flatMap(sourcesBelow).map((path) => [path, readSource(path)]),
)
const imports = new Map([...files.keys()].map((path) => [path, importsOf(path)]))
const isTestKit = (path) => path.startsWith('src/testing/')
const isProduct = (path) => path.startsWith('src/') && !isTestKit(path)

printLines()
printExports()
printForwarders()
printCircles()
if (values.trips) printTrips()

function sourcesBelow(folder) {
  let entries
  try {
    entries = readdirSync(join(ROOT, folder), { recursive: true })
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
  const isSource = (path) => path.endsWith('.ts') && !path.endsWith('.test.ts')
  return entries.map((path) => join(folder, path)).filter(isSource)
}

function readSource(path) {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** What each clause takes: the file and the names; `*` for all of it. */
function importsOf(path) {
  const clause =
    /(?:import|export)\s+(?:type\s+)?(\*(?:\s+as\s+\w+)?|\{[^}]*\})\s*from\s+'(\.[^']+)'/g
  return [...files.get(path).matchAll(clause)].map(([, taken, specifier]) => ({
    target: normalize(join(dirname(path), specifier)),
    names: taken.startsWith('{') ? namesIn(taken) : ['*'],
  }))
}

function namesIn(list) {
  return list
    .slice(1, -1)
    .split(',')
    .map(
      (name) =>
        name
          .trim()
          .replace(/^type /, '')
          .split(' as ')[0],
    )
    .filter((name) => name !== '')
}

function linesOf(wanted) {
  const found = [...files].filter(([path]) => wanted(path))
  const lines = found.reduce((sum, [, text]) => sum + text.split('\n').length - 1, 0)
  return `${lines} lines in ${found.length} files`
}

function printLines() {
  const published = reachableFrom('src/testing/index.ts')
  const isPublished = (path) => isTestKit(path) && published.has(path)
  console.log(`product: ${linesOf(isProduct)}`)
  console.log(`published test kit: ${linesOf(isPublished)}`)
  console.log(`simulator: ${linesOf((path) => !isProduct(path) && !isPublished(path))}`)
}

function reachableFrom(start) {
  const seen = new Set([start])
  for (const path of seen) for (const { target } of imports.get(path) ?? []) seen.add(target)
  return seen
}

function printExports() {
  const users = new Map()
  for (const [path, clauses] of imports) {
    for (const { target, names } of clauses) {
      for (const name of names) {
        const key = `${target} ${name}`
        users.set(key, (users.get(key) ?? new Set()).add(path))
      }
    }
  }
  const exported = [...files]
    .filter(([path]) => isProduct(path))
    .flatMap(([path, text]) =>
      [
        ...text.matchAll(
          /^export (?:abstract )?(?:async )?(?:const|function\*?|class|interface|type|let) (\w+)/gm,
        ),
      ].map(([, name]) => users.get(`${path} ${name}`)?.size ?? users.get(`${path} *`)?.size ?? 0),
    )
  const count = (n) => exported.filter((size) => size === n).length
  console.log(
    `exports: ${exported.length}, imported by one module ${count(1)}, by none ${count(0)}`,
  )
}

/** Methods whose body is one call of the same name, with the parameters as they came. */
function printForwarders() {
  const method =
    /^ {2}(?:override |async |readonly )*(\w+)(?:<[^>(]*>)?\(([^)]*)\)[^{;=]*\{\s*(?:return )?(?:await )?this\.[\w.#]+\.(\w+)\(([^;{}]*)\)\s*\}/gm
  const found = [...files]
    .filter(([path]) => isProduct(path))
    .flatMap(([path, text]) =>
      [...text.matchAll(method)]
        .filter(([, name, given, called, passed]) => {
          const parameters = given.split(/,(?![^<]*>)/).map((part) => /^\s*(\w*)/.exec(part)[1])
          return name === called && passed.trim() === parameters.filter(Boolean).join(', ')
        })
        .map(() => path),
    )
  console.log(`forwarding methods: ${found.length} in ${new Set(found).size} files`)
}

/** Strongly connected parts of more than one module (Tarjan, 1972). */
function printCircles() {
  const index = new Map()
  const low = new Map()
  const stack = []
  const circles = []
  const visit = (path) => {
    index.set(path, index.size)
    low.set(path, index.get(path))
    stack.push(path)
    for (const { target } of imports.get(path) ?? []) {
      if (!index.has(target)) visit(target)
      if (stack.includes(target)) low.set(path, Math.min(low.get(path), low.get(target)))
    }
    if (low.get(path) !== index.get(path)) return
    const circle = stack.splice(stack.indexOf(path))
    if (circle.length > 1) circles.push(circle)
  }
  for (const path of files.keys()) if (!index.has(path)) visit(path)
  console.log(`circles: ${circles.length}`)
  for (const circle of circles) console.log(`  ${circle.join(', ')}`)
}

function printTrips() {
  const compiled = compileSources(ROOT)
  const runner = join(ROOT, 'test/support/run-typescript.mjs')
  const trips = join(ROOT, 'scripts/house/trips.ts')
  const { status } = spawnSync(process.execPath, [runner, trips, compiled], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
