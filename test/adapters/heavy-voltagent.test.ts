// Goal: our storage of VoltAgent answers as its storage in memory does, fits its types, and serves an agent. Method: the framework
// is installed from npm by a lock file; random programs on both storages, the framework's own types, and the example.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { adapterWorkspace, type AdapterWorkspace } from '../support/adapter-workspace.ts'
import { tsc } from '../support/package-folder.ts'
import { ROOT } from '../support/source-files.ts'

/** Programs on each kind of database; more by the environment. */
const SEEDS = process.env['ADAPTER_SEEDS'] ?? '10'
/** An installation that never ends. Milliseconds. */
const INSTALL_MS = 600_000

let workspace: AdapterWorkspace
beforeAll(async () => {
  const node = inject('application')!.nodes['24']!
  workspace = await adapterWorkspace('voltagent', inject('builtPackage')!, node)
}, INSTALL_MS)
afterAll(() => workspace?.remove())

test('random programs get the same answers', () => {
  expect(workspace.run('differential.mjs', SEEDS)).toMatch(/\d+ answers agree/)
})

test('it is a storage by the types of the framework', () => {
  expect(tsc('-p', workspace.folder)).toBe('')
})

test('an agent remembers, also in its next process', () => {
  copyFileSync(join(ROOT, 'examples', 'voltagent.mjs'), join(workspace.folder, 'example.mjs'))
  const first = workspace.run('example.mjs')
  expect(first).toContain('conversation: first of ann')
  expect(first).toContain('memory: user [{"type":"text","text":"Hello"}]')
  expect(first).toContain('stored: assistant ann 1')
  const second = workspace.run('example.mjs')
  expect(second).toContain('answer: I was shown 4 messages.')
})
