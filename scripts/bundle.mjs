/*
 * `node scripts/bundle.mjs [FOLDER]`: makes a file of each entry out of what the compiler wrote to
 * dist/, with the code that entries share in dist/chunks. A program that imports the library then
 * opens some files instead of two hundred, which is most of what the import costs. The declarations
 * stay as the compiler wrote them.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('../', import.meta.url))
const dist = resolve(process.argv[2] ?? join(root, 'dist'))
/** Started as a thread by its path, which is beside whatever file its caller is in. */
const WORKER = 'backend/sqlite/thread/engine-worker'
/** Folders that its caller may come to be in. */
const WORKER_CALLERS = ['chunks', 'backend/sqlite']

const bundled = mkdtempSync(`${dist}-bundle-`)
try {
  const bundle = await rolldown({
    input: Object.fromEntries(entries().map((name) => [name, join(dist, `${name}.js`)])),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    onLog(level, log) {
      // The registry loads engines when they are asked for; some are there from the start.
      if (log.code === 'INEFFECTIVE_DYNAMIC_IMPORT') return
      throw new Error(`${level}: ${log.message}`)
    },
  })
  await bundle.write({
    dir: bundled,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
  })
  await bundle.close()
  for (const folder of WORKER_CALLERS) {
    const path = relative(folder, `${WORKER}.js`).replaceAll('\\', '/')
    const again = `export * from ${JSON.stringify(path.startsWith('.') ? path : `./${path}`)}\n`
    writeFileSync(join(bundled, folder, 'engine-worker.js'), again)
  }
  removeScripts()
  cpSync(bundled, dist, { recursive: true })
  // npm makes commands executable when it installs, and not after the next build of a linked folder.
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const file of Object.values(bin)) chmodSync(join(dist, file.slice('./dist/'.length)), 0o755)
} finally {
  rmSync(bundled, { recursive: true, force: true })
}

/** The exports and commands of package.json, and the worker. */
function entries() {
  const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const files = [...Object.values(exports).map((each) => each.default), ...Object.values(bin)]
  const names = files
    .filter((file) => file?.endsWith('.js'))
    .map((file) => file.slice('./dist/'.length, -'.js'.length))
  for (const name of [...names, WORKER]) {
    if (!existsSync(join(dist, `${name}.js`))) throw new Error(`the compiler made no ${name}.js`)
  }
  return [...names, WORKER]
}

/** What the compiler wrote is in the bundles now. */
function removeScripts() {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && /\.js(?:\.map)?$/.test(entry.name))
      rmSync(join(entry.parentPath, entry.name))
  }
}
