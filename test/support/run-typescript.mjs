// Runs a TypeScript module in this process: `node run-typescript.mjs FILE ARGUMENTS…`. For tests
// that need a process of their own, which they kill; Node 20 cannot read the sources itself.
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('../../', import.meta.url))
const cache = join(root, 'node_modules/.cache/everthread')

/** A module finds what lies beside it as if it had not been moved. */
const ownUrl = {
  name: 'own-url',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return null
    return code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
  },
}

const folder = join(cache, `run-${process.pid}`)
mkdirSync(folder, { recursive: true })
removeOfDead()
try {
  const bundle = await rolldown({
    input: { main: process.argv[2] },
    platform: 'node',
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    plugins: [ownUrl],
    onLog() {},
  })
  await bundle.write({
    dir: folder,
    format: 'esm',
    entryFileNames: 'main.mjs',
    chunkFileNames: '[name].mjs',
  })
  await bundle.close()
  // What the entry imports later is asked for here, while the folder is there.
  await import(pathToFileURL(join(folder, 'main.mjs')).href)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** A process that was killed left its folder. */
function removeOfDead() {
  for (const name of readdirSync(cache)) {
    const pid = Number(name.slice('run-'.length))
    if (name.startsWith('run-') && !isAlive(pid)) {
      rmSync(join(cache, name), { recursive: true, force: true })
    }
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
