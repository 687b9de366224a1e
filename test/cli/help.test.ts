// Goal: what the help shows is true. Method: the real tree of commands is walked, and each example is
// split into words by bash and parsed by that tree, up to where its command would run.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { CliContext } from '../../src/cli/cli-context.ts'
import { examplesOf } from '../../src/cli/help/examples.ts'
import { textWidth } from '../../src/cli/output/text-width.ts'
import { createProgram } from '../../src/cli/program.ts'
import { ENVIRONMENT } from '../../src/cli/settings/settings.ts'
import { runCliHere } from '../support/run-cli.ts'
import { ROOT } from '../support/source-files.ts'

class Parsed extends Error {}

/** A tree whose commands end where they would begin. */
function tree(): Command {
  const stream = (): PassThrough => new PassThrough()
  const program = createProgram(
    new CliContext({
      stdin: stream(),
      stdout: stream(),
      stderr: stream(),
      variables: {},
      cwd: tmpdir(),
      interrupt: new AbortController().signal,
    }),
  )
  return program.hook('preAction', () => {
    throw new Parsed()
  })
}

function commandsIn(command: Command): Command[] {
  return command.createHelp().visibleCommands(command).filter(isOurs).flatMap(withItsOwn)
}

function withItsOwn(command: Command): Command[] {
  return [command, ...commandsIn(command)]
}

function isOurs(command: Command): boolean {
  return command.name() !== 'help'
}

function nameOf(command: Command): string {
  const { parent } = command
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name()
}

/** The arguments of every `everthread` in these lines of shell. */
function argumentsIn(lines: readonly string[]): string[][] {
  const home = mkdtempSync(join(tmpdir(), 'everthread-help-'))
  mkdirSync(join(home, '.config/fish/completions'), { recursive: true })
  const others = ['jq', 'gzip', 'zcat', 'head'].map((name) => `${name}() { :; }`)
  const script = [
    // To the standard output of the script, whatever the line does with that of the command.
    `exec 3>&1; everthread() { printf '%s\\x1f' "$@" >&3; echo >&3; }`,
    ...others,
    ...lines,
  ].join('\n')
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script], {
    cwd: home,
    env: { PATH: process.env['PATH'], HOME: home },
    encoding: 'utf8',
  })
  rmSync(home, { recursive: true })
  expect([stderr, status]).toEqual(['', 0])
  const calls = stdout.split('\n').slice(0, -1)
  return calls.map((call) => call.split('\u001f').slice(0, -1))
}

/** Undefined for a command line that is right, else what is wrong about it. */
function mistakeIn(args: readonly string[]): string | undefined {
  try {
    tree().parse([...args], { from: 'user' })
    return 'nothing would run'
  } catch (error) {
    return error instanceof Parsed ? undefined : String(error)
  }
}

const COMMANDS = withItsOwn(tree())

test('every command has examples, which the command line understands and which are its own', () => {
  const without = COMMANDS.filter((command) => examplesOf(command).length === 0).map(nameOf)
  expect(without).toEqual([])
  for (const command of COMMANDS) {
    const name = command.parent === null ? '' : `${nameOf(command)} `
    const calls = argumentsIn(examplesOf(command))
    expect(calls.length).toBeGreaterThanOrEqual(examplesOf(command).length)
    const wrong = calls
      .map((args) => ({ args: args.join(' '), mistake: mistakeIn(args) }))
      .filter(({ args, mistake }) => mistake !== undefined || !`${args} `.startsWith(name))
    expect(wrong).toEqual([])
  }
})

test('a mistake in an example is seen', () => {
  expect(mistakeIn(['list', '--limt', '3'])).toContain("unknown option '--limt'")
  expect(mistakeIn(['list', '--limit', 'x'])).toContain('must be a whole number')
  expect(mistakeIn(['show'])).toContain('missing required argument')
  expect(mistakeIn(['shwo', 'x'])).toContain('unknown command')
})

test.each([80, 60])('help fits a terminal of %i columns, but for examples', async (columns) => {
  for (const command of COMMANDS) {
    const args = command.parent === null ? [] : nameOf(command).split(' ')
    const { code, stdout } = await runCliHere([...args, '--help'], { cwd: tmpdir(), columns })
    expect([code, stdout]).toEqual([0, expect.stringContaining('Examples:')])
    // oxlint-disable-next-line no-control-regex -- colours are what is taken out
    const lines = stdout.replace(/\u001b\[\d+m/g, '').split('\n')
    const end = lines.findIndex((line) => line === 'Examples:')
    expect(lines.slice(0, end).filter((line) => textWidth(line) > columns)).toEqual([])
  }
})

test('help is coloured on a terminal only, and not with --no-color', async () => {
  const cwd = tmpdir()
  const escape = '\u001b['
  expect((await runCliHere(['list', '--help'], { cwd, columns: 80 })).stdout).toContain(escape)
  expect((await runCliHere(['list', '--help'], { cwd })).stdout).not.toContain(escape)
  const plain = await runCliHere(['--no-color', 'list', '--help'], { cwd, columns: 80 })
  expect(plain.stdout).not.toContain(escape)
  const variables = { NO_COLOR: '1' }
  const asked = await runCliHere(['list', '--help'], { cwd, columns: 80, variables })
  expect(asked.stdout).not.toContain(escape)
})

test.each([
  [['improt', 'x'], 'Did you mean import?'],
  [['wal', 'inspct', 'x'], 'Did you mean inspect?'],
  [['status', '--jsn'], 'Did you mean --json?'],
  [['export', '--conversatoin', 'x'], 'Did you mean --conversation?'],
  [['status', '--no-colour'], 'Did you mean --no-color?'],
  [['status', '--read', 'failovr'], 'must be primary-first, failover or'],
])('%j is told what was meant', async (args, hint) => {
  const { code, stderr } = await runCliHere(args, { cwd: tmpdir() })
  expect([code, stderr]).toEqual([2, expect.stringContaining(hint)])
})

test('with --json a mistake in the command line is one JSON document on standard error', async () => {
  const { code, stdout, stderr } = await runCliHere(['status', '--jsn', '--json'], {
    cwd: tmpdir(),
  })
  expect([code, stdout]).toEqual([2, ''])
  expect(JSON.parse(stderr)).toEqual({
    error: { message: "unknown option '--jsn'\n(Did you mean --json?)" },
  })
})

describe('docs/command-line.md', () => {
  const text = readFileSync(join(ROOT, 'docs/command-line.md'), 'utf8')

  test('has each command in its list', () => {
    const [, list = ''] = /```text\n(everthread demo[\s\S]*?)```/.exec(text) ?? []
    const listed = list
      .trim()
      .split('\n')
      .map((line) => /^everthread ((?:(?:wal|conversations|message) )?[a-z-]+)/.exec(line)?.[1])
    const leaves = COMMANDS.filter((command) => command.commands.length === 0).map(nameOf)
    expect(new Set(listed)).toEqual(new Set(leaves))
  })

  test('has the flags and variables of a store', () => {
    const status = COMMANDS.find((command) => command.name() === 'status')!
    const own = ['--watch', '--interval']
    const flags = status.options.map(({ long }) => long!).filter((flag) => !own.includes(flag))
    const [, table = ''] = /## Which store\n([\s\S]*?)\n## /.exec(text) ?? []
    const found = [...table.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag!)
    expect(new Set(found)).toEqual(new Set(flags))
    for (const variable of Object.values(ENVIRONMENT)) expect(table).toContain(`\`${variable}\``)
  })

  test('names options that there are', () => {
    const known = new Set(
      COMMANDS.flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short])),
    )
    const named = [...text.matchAll(/`(--[a-z-]+)[^`]*`/g)].map(([, flag]) => flag!)
    const foreign = ['--help', '--global']
    expect(named.filter((flag) => !known.has(flag) && !foreign.includes(flag))).toEqual([])
  })

  test('shows command lines that the command line understands', () => {
    const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block!)
    const calls = argumentsIn(blocks)
    expect(calls.length).toBeGreaterThanOrEqual(3)
    const wrong = calls.map((args) => [args.join(' '), mistakeIn(args)])
    expect(wrong.filter(([, mistake]) => mistake !== undefined)).toEqual([])
  })
})
