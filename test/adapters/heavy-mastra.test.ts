// Goal: the adapter is what Mastra takes it for. Method: Mastra's packages in a folder of their own, with the packed
// package and Node 24; random programs on Mastra's store in memory and on ours, an agent that runs twice, and the
// adapter compiled against Mastra's own types. `MASTRA_PROGRAMS=300` runs more programs.
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { adapterWorkspace, type AdapterWorkspace } from '../support/adapter-workspace.ts'
import { tsc } from '../support/package-folder.ts'
import { ROOT } from '../support/source-files.ts'

const PROGRAMS = process.env['MASTRA_PROGRAMS'] ?? '15'

let workspace: AdapterWorkspace
beforeAll(async () => {
  const { nodes } = inject('application')!
  workspace = await adapterWorkspace('mastra', inject('builtPackage')!, nodes['24']!)
}, 600_000)
afterAll(() => workspace.remove())

test.each(['memory:', 'sqlite:./data/primary.db'])(
  'random programs have the answers of Mastra on %s',
  (primary) => {
    const printed = workspace.run('differential.mjs', '1', PROGRAMS, primary)
    expect(printed).toMatch(/^\d+ programs, \d+ answers, none differ\n$/)
  },
  300_000,
)

test('an agent goes on with the conversation of the process before it', () => {
  copyFileSync(join(ROOT, 'examples/mastra.mjs'), join(workspace.folder, 'example.mjs'))
  const lines = (): string[] => workspace.run('example.mjs').trim().split('\n')
  expect(lines().at(-1)).toBe('1 2')
  const second = lines().map((line) => line.split(' ')[0])
  expect(second).toEqual(['A', 'user', 'assistant', 'user', 'assistant', '1'])
})

test('the adapter is one by the types of Mastra', () => {
  expect(tsc('-p', workspace.folder)).toBe('')
})

test('the adapter compiles against Mastra as it does against what is declared of it', () => {
  const types = join(workspace.folder, 'node_modules/@mastra/core/dist')
  const config = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      paths: { '@mastra/core/*': [join(types, '*/index.d.ts')] },
      typeRoots: [join(ROOT, 'node_modules/@types')],
    },
    include: [],
    files: ['adapters/mastra.ts', 'backend/untyped-packages.d.ts'].map((name) =>
      join(ROOT, 'src', name),
    ),
  }
  const path = join(workspace.folder, 'tsconfig.source.json')
  writeFileSync(path, JSON.stringify(config))
  expect(tsc('-p', path)).toBe('')
})
