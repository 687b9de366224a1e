// Goal: docs/context-windows.md names every option and field, and its program does what it says. Method: its
// tables are compared with the types, and the program is run on the package as it is published.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { makePackageFolder } from './support/package-folder.ts'
import { ROOT } from './support/source-files.ts'

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The names in the first column of the table whose header begins so. */
function namesUnder(header: string): string[] {
  const tables = read('docs/context-windows.md').match(/(?:^\|.*\n)+/gm) ?? []
  const table = tables.find((text) => text.startsWith(`| ${header}`))!
  return [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!)
}

function fieldsOf(name: string): string[] {
  const file = read('src/chat/window/window-options.ts')
  const body = new RegExp(`export interface ${name}\\b.*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(
    file,
  )![1]!
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field]) => field!)
}

test.each([
  ['option', 'WindowOptions'],
  ['field', 'HistoryWindow'],
])('the table of each %s has what %s has', (header, type) => {
  expect(namesUnder(header)).toEqual(fieldsOf(type))
  expect(namesUnder(header).length).toBeGreaterThan(6)
})

test('the program shows a window after a crash, after the repair, and when the result came late', () => {
  const folder = makePackageFolder()
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const program = join(folder, 'examples', 'context-window.mjs')
  const options = { cwd: folder, encoding: 'utf8', timeout: 30_000 } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], options)
  expect([status, stderr]).toEqual([0, ''])
  const [crashed, closed, late] = stdout.split(/^\S.*:\n/m).slice(1)
  expect(crashed).not.toContain('(calls)')
  expect(crashed).toContain('truncated: false, open: call-2')
  const [calls, flight, error, user] = closed!.split('\n').slice(2)
  expect([calls, flight, user]).toEqual([
    '  assistant: (calls)',
    '  tool: SK 1234 at 09:00',
    '  user: Are you still there?',
  ])
  expect(error).toBe('  tool: The tool was interrupted.')
  expect(closed).toContain('open: none')
  expect(late).toContain('  tool: 12 degrees\n  user: Are you still there?')
  expect(late).not.toContain('interrupted')
})
