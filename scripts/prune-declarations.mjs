/*
 * `node scripts/prune-declarations.mjs [FOLDER]`: removes the declarations in dist/ that no entry of
 * package.json reaches, those of the command line for instance: nobody can import what they describe.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const dist = resolve(process.argv[2] ?? join(root, 'dist'))

const reached = new Set()
const waiting = entries()
while (waiting.length > 0) {
  const path = waiting.pop()
  if (reached.has(path)) continue
  reached.add(path)
  waiting.push(...importsOf(path))
}
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name)
  if (entry.name.endsWith('.d.ts') && !reached.has(path)) rmSync(path)
}
removeEmptyFolders(dist)

/** The declarations of the exports of package.json. */
function entries() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.values(exports)
    .filter(({ types }) => types !== undefined)
    .map(({ types }) => join(dist, types.slice('./dist/'.length)))
}

function importsOf(path) {
  const text = readFileSync(path, 'utf8')
  const specifiers = text.matchAll(
    /(?:\bfrom\s*|\bimport\s*\(?\s*)['"](\.{1,2}\/[^'"]+)\.[jt]s['"]/g,
  )
  return [...specifiers].map(([, specifier]) => {
    const target = join(dirname(path), `${specifier}.d.ts`)
    if (!existsSync(target)) throw new Error(`${path} imports ${specifier}, which is not there`)
    return target
  })
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name))
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder)
}
