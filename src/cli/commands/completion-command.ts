import { Argument, type Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { completeWords } from '../completion/complete-words.ts'
import { SHELL_SCRIPTS, SHELLS, type Shell } from '../completion/shell-scripts.ts'
import { splitLine } from '../completion/split-line.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'

/** `everthread completion SHELL`, and `everthread complete`, which its script calls at each Tab. */
export function addCompletionCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('completion')
    .description('Print what lets a shell complete commands, options and their values.')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .action(async (shell: Shell) => {
      await cli.terminal.write(SHELL_SCRIPTS[shell])
    })
  addExamples(command, [
    'source <(everthread completion bash)   # in ~/.bashrc',
    'source <(everthread completion zsh)    # in ~/.zshrc, after compinit',
    'everthread completion fish > ~/.config/fish/completions/everthread.fish',
  ])
  program
    .command('complete', { hidden: true })
    .argument('<shell>')
    .argument('[words...]')
    .action(async (shell: Shell, words: readonly string[]) => {
      await answer(program, cli, shell === 'bash' ? splitLine(words[0] ?? '').slice(1) : words)
    })
}

async function answer(
  program: Command,
  { terminal }: CliContext,
  words: readonly string[],
): Promise<void> {
  const { candidates, paths } = completeWords(program, words)
  const lines = candidates.map(
    ({ value, description }) => `${value}\t${printableLine(description)}`,
  )
  await terminal.write([paths, ...lines, ''].join('\n'))
}
