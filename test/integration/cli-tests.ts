import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect } from 'vitest'
import { BuiltCli, type CliOptions, type CliResult } from './cli-process.ts'

/** One line of an import. */
export interface TestConversation {
  readonly conversationId: string
  readonly messages: readonly object[]
}

/** The command line of a test file, and a folder of each test that it works in. */
export interface CliTests {
  readonly cwd: string
  /** The command itself. */
  readonly main: string
  /** Variables that every command has, beside its own; forgotten when the test ends. */
  env: Readonly<Record<string, string>>
  run(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>
  start(args: readonly string[]): ChildProcess
  /** Runs with `--json`, expects silence on standard error; the exit code and the document. */
  json(...args: readonly string[]): Promise<[number | null, unknown]>
  /** The first lines of standard output; then the process is sent the signal. And its exit code. */
  watch(
    args: readonly string[],
    lines: number,
    signal: NodeJS.Signals,
  ): Promise<{ lines: readonly string[]; code: number | null }>
  /** Imports them, expects exit 0. */
  save(conversations: readonly TestConversation[], args?: readonly string[]): Promise<CliResult>
}

/** Called once, at the top of a test file. */
export function cliTests(): CliTests {
  const cli = new BuiltCli()
  let cwd = ''
  let env: Readonly<Record<string, string>> = {}
  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'everthread-cli-'))
    env = {}
  })
  afterEach(() => rm(cwd, { recursive: true, force: true }))
  const tests: CliTests = {
    get cwd() {
      return cwd
    },
    get main() {
      return cli.main
    },
    get env() {
      return env
    },
    set env(variables) {
      env = variables
    },
    run: async (args, options = {}) =>
      await cli.run(args, { cwd, ...options, env: { ...env, ...options.env } }),
    start: (args) => cli.start(args, { cwd, env }),
    json: async (...args) => {
      const { code, stdout, stderr } = await tests.run([...args, '--json'])
      expect(stderr).toBe('')
      return [code, JSON.parse(stdout)]
    },
    watch: async (args, count, signal) => {
      const child = tests.start(args)
      const lines: string[] = []
      for await (const line of createInterface({ input: child.stdout! })) {
        lines.push(line)
        if (lines.length === count) child.kill(signal)
      }
      if (child.exitCode === null) await once(child, 'close')
      return { lines, code: child.exitCode }
    },
    save: async (conversations, args = []) => {
      const text = conversations.map((conversation) => `${JSON.stringify(conversation)}\n`)
      const file = join(cwd, 'in.jsonl')
      await writeFile(file, text.join(''))
      const result = await tests.run(['import', 'in.jsonl', '--json', ...args])
      // What else is in the folder is the store's.
      await rm(file)
      expect(result).toMatchObject({ code: 0 })
      return result
    },
  }
  return tests
}

/** A conversation whose messages say what they are. */
export function conversationOf(
  conversationId: string,
  count: number,
  text = 'message',
): TestConversation {
  const messages = Array.from({ length: count }, (_, i) => ({
    role: 'user',
    content: `${text} ${i} of ${conversationId}`,
  }))
  return { conversationId, messages }
}
