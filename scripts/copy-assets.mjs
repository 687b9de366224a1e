// Copies what the compiler leaves out: files of src that are neither TypeScript nor notes.
import { cpSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('../src/', import.meta.url))
const target = fileURLToPath(new URL('../dist/', import.meta.url))
const NOT_ASSETS = new Set(['.ts', '.md'])

for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || NOT_ASSETS.has(extname(entry.name))) continue
  const file = join(entry.parentPath, entry.name)
  cpSync(file, join(target, file.slice(source.length)))
}
