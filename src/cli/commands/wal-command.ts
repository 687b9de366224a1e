import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'

/** `everthread wal inspect DIR` */
export function addWalCommand(program: Command, cli: CliContext): void {
  void program
  void cli
}
