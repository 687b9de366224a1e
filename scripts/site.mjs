/*
 * `npm run site`: the site in .site/out, from README, docs/ and the declarations of the package. Links between
 * pages are followed, and a page that site/navigation.mjs does not name is an error.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GROUPS } from '../site/navigation.mjs'
import { referencePages } from '../site/reference.mjs'

const root = fileURLToPath(new URL('../', import.meta.url))
const work = join(root, '.site')
const pages = join(work, 'pages')
/** Where each document outside docs/ stands in the site. */
const MOVED = {
  'README.md': 'index.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
  'CHANGELOG.md': 'changelog.md',
}

rmSync(work, { recursive: true, force: true })
cpSync(join(root, 'docs'), pages, { recursive: true })
const documents = readdirSync(join(root, 'docs'), { recursive: true })
  .filter((name) => name.endsWith('.md'))
  .map((name) => posix.join('docs', name.replaceAll('\\', '/')))
for (const path of [...documents, ...Object.keys(MOVED)]) {
  const text = readFileSync(join(root, path), 'utf8')
  writeFileSync(join(pages, pageOf(path)), withLinks(withoutMarkers(text), path))
}
listDecisions()
checkNavigation()
makeReference()
runScript(join(root, 'node_modules/vitepress/bin/vitepress.js'), 'build', 'site')

/** The page of a document, below the pages; undefined for what is none. */
function pageOf(path) {
  if (path in MOVED) return MOVED[path]
  if (path === 'docs/decisions') return 'decisions/index.md'
  if (path.startsWith('docs/')) return path.slice('docs/'.length)
  return undefined
}

/** Links are those of the repository: to pages they become the site's, others become text. */
function withLinks(text, path) {
  return text.replaceAll(/\[([^\]]*)\]\(([^)\s]+)\)/g, (link, label, target) => {
    if (/^(?:[a-z]+:|#)/.test(target)) return link
    const [file, anchor] = target.split('#')
    const page = pageOf(posix.join(posix.dirname(path), file).replace(/\/$/, ''))
    if (page === undefined) return label
    const own = posix.dirname(pageOf(path))
    const relative = posix.relative(own, page)
    return `[${label}](${relative.startsWith('.') ? '' : './'}${relative}${anchor ? `#${anchor}` : ''})`
  })
}

/** What the tests of snippets read is not for readers. */
function withoutMarkers(text) {
  return text.replaceAll(/^<!-- snippet: .* -->\n+/gm, '')
}

function listDecisions() {
  const folder = join(pages, 'decisions')
  const lines = readdirSync(folder).map((name) => {
    const title = /^# (.*)$/m.exec(readFileSync(join(folder, name), 'utf8'))?.[1] ?? name
    return `- [${title}](./${name})`
  })
  writeFileSync(join(folder, 'index.md'), `# Decisions\n\n${lines.join('\n')}\n`)
}

function checkNavigation() {
  const named = new Set(GROUPS.flatMap(([, entries]) => entries.map(([name]) => `${name}.md`)))
  const missing = readdirSync(pages).filter((name) => name.endsWith('.md') && !named.has(name))
  if (missing.length > 0) throw new Error(`site/navigation.mjs does not name ${missing.join(', ')}`)
}

/** The reference of the types, from the declarations. */
function makeReference() {
  const folder = join(work, 'models')
  mkdirSync(folder, { recursive: true })
  runScript(join(root, 'scripts', 'api-report.mjs'), '--models', folder)
  const models = readdirSync(folder).map((name) => [
    name.replace('.api.json', ''),
    JSON.parse(readFileSync(join(folder, name), 'utf8')),
  ])
  mkdirSync(join(pages, 'reference'))
  for (const [name, text] of referencePages(models)) {
    writeFileSync(join(pages, 'reference', name), text)
  }
}

function runScript(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: dirname(work),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (status !== 0) throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`)
}
