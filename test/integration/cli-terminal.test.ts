// Goal: what a person sees and types in a terminal. Method: the built command in a pseudo-terminal, and a
// screen that is drawn from what it writes.
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { hasProgram } from '../support/has-program.ts'
import { PseudoTerminal, type PseudoTerminalOptions } from '../support/pseudo-terminal.ts'
import { BuiltCli } from './cli-process.ts'

const cli = new BuiltCli()
const FILE = 'everthread.config.mjs'

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'everthread-terminal-'))
})
afterEach(() => rm(cwd, { recursive: true, force: true }))

function open(args: string, options: Partial<PseudoTerminalOptions> = {}): PseudoTerminal {
  const terminal = new PseudoTerminal(`'${process.execPath}' '${cli.main}' ${args}`, {
    cwd,
    ...options,
  })
  onTestFinished(() => terminal.stop())
  return terminal
}

describe.skipIf(!hasProgram('script'))('in a terminal', () => {
  test('init asks for each place, tells what is wrong with an answer, and keeps passwords out', async () => {
    const terminal = open('init --backup memory:')
    await terminal.shows(/Primary database.*\n {2}\[sqlite:\.\/data\/primary\.db\]: ?$/)
    terminal.type('mysql://host/db\r')
    await terminal.shows(/primary must be postgresql:[\s\S]*\n {2}\[sqlite:[^\n]*: ?$/)
    terminal.type('sqlite:./chat.db\r')
    // That of the backup was given.
    await terminal.shows(/Write-ahead log.*\n {2}\[file:\.\/data\/wal\]: ?$/)
    terminal.type('\r')
    await terminal.shows(/Cache.*\n {2}\[none\]: ?$/)
    terminal.type('\r')
    expect(await terminal.end()).toBe(0)
    expect(terminal.text()).toContain('Wrote everthread.config.mjs.')
    expect(terminal.isColoured()).toBe(true)
    const text = await readFile(join(cwd, FILE), 'utf8')
    expect(text).toContain(
      "  primary: 'sqlite:./chat.db',\n  backup: 'memory:',\n  wal: 'file:./data/wal',\n}",
    )
  })

  test('init: a URL with a password that is typed goes into a variable, not into the file', async () => {
    const terminal = open('init --no-check --backup memory: --wal memory:')
    await terminal.shows(/Primary database.*\n.*: ?$/)
    terminal.type('postgresql://app:hunter2hunter2@db/chat\r')
    await terminal.shows(/Cache.*\n {2}\[none\]: ?$/)
    terminal.type('\r')
    expect(await terminal.end()).toBe(0)
    expect(terminal.text()).toContain('EVERTHREAD_PRIMARY_URL, which is not set yet')
    const text = await readFile(join(cwd, FILE), 'utf8')
    expect(text).toContain("primary: fromEnvironment('EVERTHREAD_PRIMARY_URL')")
    expect(text).not.toContain('hunter2')
  })

  test.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s at a question ends init without a trace', async (_name, key) => {
    const terminal = open('init')
    await terminal.shows(/Primary database/)
    terminal.type(key)
    expect(await terminal.end()).toBe(130)
    expect(terminal.text()).toContain('Nothing was written.')
    expect(await readdir(cwd)).toEqual([])
  })

  test('tables fit the terminal, whatever is in them; colours are off where nobody wants them', async () => {
    const lines = ['漢字'.repeat(12), 'order-4711', 'x'.repeat(90)].map((conversationId) =>
      JSON.stringify({ conversationId, messages: [{ role: 'user', content: 'Hello' }] }),
    )
    await writeFile(join(cwd, 'in.jsonl'), lines.join('\n'))
    const first = open('import in.jsonl')
    expect(await first.end()).toBe(0)
    const listed = open('list', { columns: 50 })
    expect(await listed.end()).toBe(0)
    const rows = listed.lines()
    expect(rows.slice(0, 2).map((line) => line.length)).toEqual([38, 50])
    expect(rows.join('').replace(/\s/g, '')).toContain('order-4711')
    // No line was longer than the terminal: it would go on in a line that nobody asked for.
    for (const line of listed.raw.split('\r\n')) expect(widthOf(line)).toBeLessThanOrEqual(50)
    const narrow = open('status', { columns: 40, env: { NO_COLOR: '1' } })
    expect(await narrow.end()).toBe(0)
    expect(narrow.isColoured()).toBe(false)
    expect(narrow.text()).toMatch(/^place {4}primary\ntype {5}sqlite\nstate {4}healthy$/m)
  })

  test('a question before messages are deleted is answered by no, unless it is yes', async () => {
    const terminal = open('clear c1')
    await terminal.shows(/Delete all messages of "c1"\? \[y\/N\] ?$/)
    terminal.type('\r')
    expect(await terminal.end()).toBe(1)
    expect(terminal.text()).toContain('Nothing was cleared.')
  })
})

/** Columns of a line without its colours. */
function widthOf(line: string): number {
  // oxlint-disable-next-line no-control-regex -- colours are what is taken out
  const text = line.replace(/\u001b\[\d*m/g, '')
  return text.length + (text.match(/[漢字]/g) ?? []).length
}
