import { Option, type Command } from 'commander'
import { ENVIRONMENT } from './settings/settings.ts'

/** Adds the options that every command with a store has. */
export function addStoreOptions(command: Command): Command {
  return command
    .addOption(new Option('--primary <url>', `primary database [${ENVIRONMENT.primary}]`))
    .addOption(new Option('--backup <url>', `backup database [${ENVIRONMENT.backup}]`))
    .addOption(new Option('--wal <url>', `write-ahead log [${ENVIRONMENT.wal}]`))
    .addOption(new Option('--cache <url>', `cache [${ENVIRONMENT.cache}]`))
    .addOption(new Option('--tenant <name>', `tenant [${ENVIRONMENT.tenant}]`))
    .addOption(new Option('--read <strategy>', `read strategy [${ENVIRONMENT.read}]`))
    .addOption(new Option('--write <strategy>', `write strategy [${ENVIRONMENT.write}]`))
    .addOption(new Option('--health <manager>', `health manager [${ENVIRONMENT.health}]`))
    .option('--allow-degraded-start', 'open also while a place cannot be used as it is set up')
    .option('--config <file>', 'configuration file (default: everthread.config.json or .mjs)')
    .option('--verbose', 'tell on standard error what the store does')
    .option('--json', 'print data as JSON')
}
