// Goal: our session service answers as ADK's in memory does, fits its types, and serves a runner. Method: the framework
// is installed from npm by a lock file; random programs on both services, the framework's own types, and the example.
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
  workspace = await adapterWorkspace('adk', inject('builtPackage')!, node)
}, INSTALL_MS)
afterAll(() => workspace?.remove())

test('random programs get the same answers', () => {
  expect(workspace.run('differential.mjs', SEEDS)).toMatch(/\d+ answers agree/)
})

test('it is a session service by the types of the framework', () => {
  expect(tsc('-p', workspace.folder)).toBe('')
})

test('a session goes on in the next process', () => {
  copyFileSync(join(ROOT, 'examples', 'adk.mjs'), join(workspace.folder, 'example.mjs'))
  const first = workspace.run('example.mjs')
  expect(first).toContain('counter: I was shown 1 contents.')
  expect(first).toContain("3 events, state: { mood: 'fine', 'app:greeted': true }")
  expect(first).toContain('stored: model [{"text":"I was shown 1 contents."}]')
  expect(workspace.run('example.mjs')).toContain('6 events')
})
