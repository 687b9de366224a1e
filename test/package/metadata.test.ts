// Goal: package.json says what a registry shows, has the address of the repository in one place, and nothing
// is released whose version, tag and changelog disagree. Method: the scripts run here and in folders of a test.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ROOT, sourceFiles } from '../support/source-files.ts'

interface Manifest {
  readonly version: string
  readonly keywords: readonly string[]
  readonly author: string
  readonly repository: { readonly type: string; readonly url: string }
  readonly homepage: string
  readonly bugs: string
  readonly publishConfig: object
}

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

const MANIFEST = manifestIn(ROOT)
const ADDRESS = 'https://github.com/somebody/history'

function run(script: string, cwd: string, ...args: readonly string[]) {
  const path = join(ROOT, 'scripts', script)
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], {
    cwd,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

/** A folder with these files; texts as they are, everything else as JSON. */
function folderOf(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-package-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    writeFileSync(join(folder, name), text)
  }
  return folder
}

test('package.json says who made it, and how it is published', () => {
  expect(MANIFEST.author).not.toBe('')
  expect(MANIFEST.keywords).toContain('chat history')
  expect(MANIFEST.publishConfig).toEqual({ access: 'public', provenance: true })
})

test('homepage and bugs follow from the address of the repository', () => {
  expect(run('repository.mjs', ROOT)).toEqual({ status: 0, stdout: '', stderr: '' })
  const wrong = folderOf({ 'package.json': { ...MANIFEST, bugs: `${ADDRESS}/issues` } })
  const { status, stderr } = run('repository.mjs', wrong)
  expect([status, stderr]).toEqual([1, expect.stringContaining('package.json: bugs is ')])
})

test('the address stands in package.json only', () => {
  const address = MANIFEST.repository.url.replace(/^git\+(.*)\.git$/, '$1')
  const places = ['src', 'docs', 'examples', 'scripts', 'test', '.github', '.ci']
  const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']
  const files = sourceFiles([...places, ...documents], [''])
  expect(files.filter(({ text }) => text.includes(address)).map(({ path }) => path)).toEqual([])
})

test('one command fills the address in', () => {
  const folder = folderOf({ 'package.json': MANIFEST })
  expect(run('repository.mjs', folder, ADDRESS).status).toBe(0)
  expect(manifestIn(folder)).toEqual({
    ...MANIFEST,
    repository: { type: 'git', url: `git+${ADDRESS}.git` },
    homepage: `${ADDRESS}#readme`,
    bugs: `${ADDRESS}/issues`,
  })
  for (const bad of ['somebody/history', `${ADDRESS}.git/x`, 'http://github.com/a/b', '']) {
    expect(run('repository.mjs', folder, bad)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('must be https://github.com/NAME/REPOSITORY'),
    })
  }
  expect(manifestIn(folder).homepage).toBe(`${ADDRESS}#readme`)
})

const RELEASABLE = {
  'package.json': { version: '1.2.3', repository: { url: `git+${ADDRESS}.git` } },
  'package-lock.json': { version: '1.2.3', packages: { '': { version: '1.2.3' } } },
  'CHANGELOG.md':
    '# Changes\n\n## 1.2.3 (2026-12-01)\n\n- One.\n\n### More\n\n- Two.\n\n## 1.2.2 (x)\n',
}

test('a release that agrees is let through, with its section of the changelog as notes', () => {
  const result = run('check-release.mjs', folderOf(RELEASABLE), 'v1.2.3')
  expect(result).toEqual({ status: 0, stdout: '- One.\n\n### More\n\n- Two.\n', stderr: '' })
})

test.each([
  ['another tag', 'the tag must be v1.2.3', 'v1.2.4', {}],
  ['no tag', 'the tag must be v1.2.3, as package.json says, got none', '', {}],
  ['no section', 'CHANGELOG.md has no section 1.2.3', 'v1.2.3', { 'CHANGELOG.md': '# Changes\n' }],
  [
    'a section without its date',
    'must have its date',
    'v1.2.3',
    { 'CHANGELOG.md': '## 1.2.3 (unreleased)\n\n- One.\n' },
  ],
  [
    'a section without text',
    'the section 1.2.3 is empty',
    'v1.2.3',
    { 'CHANGELOG.md': '## 1.2.3 (2026-12-01)\n\n## 1.2.2\n' },
  ],
  [
    'a lock file of another version',
    'package-lock.json has version 1.2.2',
    'v1.2.3',
    { 'package-lock.json': { version: '1.2.2', packages: { '': { version: '1.2.3' } } } },
  ],
  [
    'the placeholder',
    'repository.url is a placeholder',
    'v1.2.3',
    { 'package.json': { version: '1.2.3', repository: { url: placeholder() } } },
  ],
])('a release with %s is refused', (_what, problem, tag, files) => {
  const { status, stdout, stderr } = run(
    'check-release.mjs',
    folderOf({ ...RELEASABLE, ...files }),
    tag,
  )
  expect({ status, stdout, lines: stderr.trim().split('\n') }).toEqual({
    status: 1,
    stdout: '',
    lines: [expect.stringContaining(problem)],
  })
})

function placeholder(): string {
  return `git+https://github.com/OWNER/${'everthread'}.git`
}
