// Goal: Tab completes in real shells. Method: each shell is started in a pseudo-terminal, keys are
// pressed, and what stands on the command line is read from the screen.
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { hasProgram } from '../support/has-program.ts'
import { PseudoTerminal } from '../support/pseudo-terminal.ts'
import { BuiltCli } from './cli-process.ts'

const cli = new BuiltCli()
let folder: string
let terminal: PseudoTerminal

/** How each shell starts without anybody's settings, and shows `> ` when it is ready. */
const SHELLS = {
  bash: {
    command: 'bash --norc --noprofile -i',
    start: "PS1='> '; source <(everthread completion bash)",
    list: '\t\t',
  },
  zsh: {
    command: 'zsh -f -i',
    start: "PS1='> '; autoload -U compinit; compinit -u; source <(everthread completion zsh)",
    list: '\t',
  },
  fish: {
    command: 'fish --no-config -i',
    start: "function fish_prompt; echo '> '; end; everthread completion fish | source",
    list: '\t',
  },
} as const

describe.each(Object.entries(SHELLS))('%s', (shell, { command, start, list }) => {
  const isThere = hasProgram(shell) && hasProgram('script')

  beforeAll(async () => {
    if (!isThere) return
    folder = await mkdtemp(join(tmpdir(), 'everthread-shell-'))
    await mkdir(join(folder, 'bin'))
    await mkdir(join(folder, 'some-data'))
    await writeFile(join(folder, 'some conversations.jsonl'), '')
    await symlink(cli.main, join(folder, 'bin', 'everthread'))
    await chmod(cli.main, 0o755)
    terminal = new PseudoTerminal(command, {
      cwd: folder,
      columns: 100,
      env: {
        PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
        HOME: folder,
        XDG_DATA_HOME: folder,
        XDG_CONFIG_HOME: folder,
      },
    })
    terminal.type(`${start}; clear\r`)
    await terminal.shows(/^> ?$/)
  })

  afterAll(async () => {
    if (!isThere) return
    await terminal.stop()
    await rm(folder, { recursive: true, force: true })
  })

  beforeEach(async () => {
    if (!isThere) return
    // Takes the line away, and all above it.
    terminal.type('\u0015\u000c')
    await terminal.shows(/^> ?$/)
  })

  // The X shows whether a space has followed.
  test.skipIf(!isThere).each<[string, string, RegExp]>([
    ['a command', 'everthread rest', /^> everthread restore X$/],
    ['a command of a group', 'everthread wal insp', /^> everthread wal inspect X$/],
    ['an option', 'everthread export --enc', /^> everthread export --encrypt X$/],
    ['an option of every command', 'everthread export --no-c', /export --no-color X$/],
    ['the value of an option', 'everthread restore --from b', /--from backup X$/],
    ['a value behind =', 'everthread status --read=fail', /status --read=failover X$/],
    ['the beginning of a URL', 'everthread status --primary sq', /--primary sqlite:X$/],
    ['the rest of a scheme', 'everthread status --wal redis-stream:', / redis-stream:\/\/X$/],
    ['a file', 'everthread import some\\ con', /import some\\ conversations\.jsonl X$/],
    ['a file behind =', 'everthread status --config=some\\ con', /=some\\ conversations\.jsonl X$/],
    ['a folder', 'everthread wal inspect some-d', /inspect some-data\/? ?X$/],
    ['a topic of help', 'everthread help compl', /^> everthread help completion X$/],
    ['nothing that there is not', 'everthread expo --', /^> everthread expo --X$/],
  ])('%s', async (_what, typed, expected) => {
    terminal.type(`${typed}\tX`)
    await terminal.shows(expected)
  })

  test.skipIf(!isThere)('shows what there is when there are several', async () => {
    terminal.type(`everthread re${list}`)
    await terminal.shows(/reconcile[\s\S]*repair[\s\S]*restore/)
  })
})
