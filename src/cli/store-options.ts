import { Option, type Command } from 'commander'
import type {
  HealthManagerType,
  ReadStrategyType,
  WriteStrategyType,
} from '../strategy/strategy-factory.ts'
import { ENVIRONMENT } from './settings/settings.ts'

/** By type, so that none can be forgotten. They are shown only: the library says what is wrong with another. */
const READ: Readonly<Record<ReadStrategyType, true>> = {
  'primary-first': true,
  failover: true,
  'cache-enhanced': true,
}
const WRITE: Readonly<Record<WriteStrategyType, true>> = {
  idempotent: true,
  'wal-first': true,
  'dual-write': true,
}
const HEALTH: Readonly<Record<HealthManagerType, true>> = { 'circuit-breaker': true, simple: true }

/** Adds the options that every command with a store has. */
export function addStoreOptions(command: Command): Command {
  command
    .option('--verbose', 'tell on standard error what the store does')
    .option('--json', 'print data as JSON')
    .optionsGroup('Store:')
    .option('--config <file>', 'configuration file (default: everthread.config.json or .mjs)')
    .option('--allow-degraded-start', 'open also while a place cannot be used as it is set up')
  return addSettingOptions(command)
}

/** One option for each setting of a store. */
export function addSettingOptions(command: Command): Command {
  return command
    .optionsGroup('Store:')
    .addOption(new Option('--primary <url>', `primary database [${ENVIRONMENT.primary}]`))
    .addOption(new Option('--backup <url>', `backup database [${ENVIRONMENT.backup}]`))
    .addOption(new Option('--wal <url>', `write-ahead log [${ENVIRONMENT.wal}]`))
    .addOption(new Option('--cache <url>', `cache [${ENVIRONMENT.cache}]`))
    .addOption(new Option('--tenant <name>', `tenant [${ENVIRONMENT.tenant}]`))
    .addOption(named('--read <strategy>', `read strategy [${ENVIRONMENT.read}]`, READ))
    .addOption(named('--write <strategy>', `write strategy [${ENVIRONMENT.write}]`, WRITE))
    .addOption(named('--health <manager>', `health manager [${ENVIRONMENT.health}]`, HEALTH))
}

function named(flags: string, description: string, names: object): Option {
  const option = new Option(flags, description)
  option.argChoices = Object.keys(names)
  return option
}
