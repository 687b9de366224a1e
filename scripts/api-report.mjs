/*
 * `node scripts/api-report.mjs [--write]`: what the package exports, as its users see it. Compares the
 * declarations of each entry with the report in api/, and fails when they differ, so that no public type
 * changes unseen; `--write` makes the reports anew. A type that a public signature names and that no entry
 * exports stands there with a warning, and is a failure.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'

const root = fileURLToPath(new URL('../', import.meta.url))
const reports = join(root, 'api')
const isWriting = process.argv.includes('--write')
/** Not below node_modules: what is there the extractor takes for another package. */
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'everthread-api-')))

/** The compiler of the extractor needs more of the surroundings' types than ours. */
const COMPILER = {
  target: 'es2022',
  lib: ['es2023', 'es2024.string', 'esnext.disposable', 'dom'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  types: ['node'],
  typeRoots: [join(root, 'node_modules', '@types')],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
}

let failures = 0
try {
  const dist = join(folder, 'dist')
  tsc('-p', join(root, 'tsconfig.build.json'), '--outDir', dist)
  nameByOutput(dist)
  writeFileSync(join(folder, 'package.json'), readFileSync(join(root, 'package.json')))
  const made = entries().map(([name, entry]) => [name, report(name, join(folder, entry))])
  const exported = new Set(made.flatMap(([, text]) => exportedNames(text)))
  for (const [name, text] of made) compare(name, withoutWarningsOf(exported, text))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (failures > 0) process.exitCode = 1

/** The extractor follows `./x.js` to its declarations, and takes `./x.ts` for another package. */
function nameByOutput(dist) {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.d.ts')) continue
    const path = join(entry.parentPath, entry.name)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace(/((?:from |import\()['"]\.[^'"]+)\.ts(['"])/g, '$1.js$2'))
  }
}

/** Name and declarations of what `exports` of package.json has, but for the suites for tests. */
function entries() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.entries(exports)
    .filter(([path, { types }]) => types !== undefined && path !== './testing')
    .map(([path, { types }]) => [path === '.' ? 'everthread' : path.slice(2), types])
}

/** The report of one entry, which knows nothing of the others. */
function report(name, declarations) {
  const made = join(folder, 'reports')
  mkdirSync(made, { recursive: true })
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: declarations,
      compiler: { overrideTsconfig: { compilerOptions: COMPILER, include: [declarations] } },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: made,
        reportTempFolder: join(folder, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: {
          default: { logLevel: 'none' },
          'ae-forgotten-export': { logLevel: 'warning', addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, 'package.json'),
  })
  const { errorCount } = Extractor.invoke(config, {
    localBuild: true,
    messageCallback(message) {
      message.handled = true
      // What has a line in the report is compared with it.
      if (message.logLevel !== 'error') return
      console.error(`${name}: ${message.text}`)
    },
  })
  failures += errorCount
  return readFileSync(join(made, `${name}.api.md`), 'utf8')
}

function exportedNames(text) {
  const declared = /^export (?:abstract )?(?:class|const|function|interface|type) (\w+)/gm
  const renamed = /^export \{ (?:\w+ as )?(\w+) \}/gm
  return [...text.matchAll(declared), ...text.matchAll(renamed)].map(([, name]) => name)
}

/** Each name has one entry: what another one exports is not missing here. */
function withoutWarningsOf(exported, text) {
  return text
    .replace(
      // Two of one name, ours and one of the surroundings, are told apart by a number.
      /^ *\/\/ .*\(ae-forgotten-export\) The symbol "(\w+?)(?:_\d)?" needs[^\n]*\n/gm,
      (line, name) => (exported.has(name) ? '' : line),
    )
    .replace(/^\/\/ Warnings were encountered during analysis:\r?\n\/\/\r?\n(?=\r?\n)/gm, '')
}

function compare(name, text) {
  for (const [, line] of text.matchAll(/\(ae-forgotten-export\) (.*)/g)) {
    console.error(`${name}: ${line}`)
    failures++
  }
  const path = join(reports, `${name}.api.md`)
  if (isWriting) {
    mkdirSync(reports, { recursive: true })
    writeFileSync(path, text)
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
    console.error(`api/${name}.api.md is not what the package exports: npm run api -- --write`)
    failures++
  }
}

function tsc(...args) {
  const program = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status, stdout } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the declarations could not be made:\n${stdout}`)
}
