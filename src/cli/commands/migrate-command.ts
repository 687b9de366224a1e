import type { Command } from 'commander'
import type { ReplicaBackend, SchemaState } from '../../backend/replica-backend.ts'
import { createDatabase } from '../../backend/registry.ts'
import { StorageError } from '../../core/errors.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { databaseOf } from '../settings/database-of.ts'
import type { Settings } from '../settings/settings.ts'
import { addStoreOptions } from '../store-options.ts'

interface MigrateFlags extends StoreFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
  readonly show?: boolean
}

interface Migrated {
  readonly place: DatabasePlace
  readonly type: string
  /** Absent for an engine without numbered steps. */
  readonly from?: number
  readonly to?: number
  /** Steps that were applied, or with `--dry-run` would be. */
  readonly steps: readonly { readonly number: number; readonly title: string }[]
}

/** `everthread migrate` */
export function addMigrateCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('migrate')
    .description('Bring the schemas of both databases up to date, step by numbered step.')
    .option('--dry-run', 'tell which steps would be applied; exit 3 if there are any')
    .option('--show', 'tell all steps that this release knows, and which a database has')
  addExamples(command, ['everthread migrate --dry-run', 'everthread migrate'])
  addStoreOptions(command).action(async (flags: MigrateFlags) => {
    cli.exitCode = await runMigrate(cli, flags)
  })
}

async function runMigrate(cli: CliContext, flags: MigrateFlags): Promise<ExitCode> {
  const settings = await cli.settings(flags)
  const changes = flags.dryRun !== true && flags.show !== true
  const results: Migrated[] = []
  for (const place of DATABASE_PLACES) {
    results.push(await migratePlace(cli, flags, settings, place, changes))
  }
  if (flags.json === true) await cli.terminal.writeJson(results)
  else for (const line of linesOf(cli, results, flags)) await cli.terminal.writeLine(line)
  const isDue = flags.dryRun === true && results.some(({ steps }) => steps.length > 0)
  return isDue ? EXIT.partial : EXIT.ok
}

async function migratePlace(
  cli: CliContext,
  flags: MigrateFlags,
  settings: Settings,
  place: DatabasePlace,
  changes: boolean,
): Promise<Migrated> {
  const env = nodeEnv({ logger: cli.logger(flags) })
  const backend = await createDatabase(databaseOf(settings, place), env, place)
  try {
    const type = backend.getBackendType()
    const schema = await schemaOf(backend, place)
    if (schema === undefined) return { place, type, steps: [] }
    const { version, migrations } = schema
    const titled = migrations.map((title, i) => ({ number: i + 1, title }))
    const steps = flags.show === true ? titled : titled.slice(version)
    // Also without a step: an index of texts that was asked for is built.
    if (changes) await backend.migrate?.()
    return { place, type, from: version, to: migrations.length, steps }
  } finally {
    await backend.disconnect()
  }
}

async function schemaOf(
  backend: ReplicaBackend,
  place: DatabasePlace,
): Promise<SchemaState | undefined> {
  const schema = await backend.getSchema?.()
  if (schema !== undefined && schema.version > schema.migrations.length) {
    const known = schema.migrations.length
    const text = `the schema of the ${place} is of a newer release: ${schema.version}, known are ${known}`
    throw new StorageError('UNSUPPORTED', text, { place })
  }
  return schema
}

function linesOf(
  { terminal }: CliContext,
  results: readonly Migrated[],
  { dryRun, show }: MigrateFlags,
): string[] {
  const rows = results.flatMap(({ place, type, from, to, steps }): string[][] => {
    if (from === undefined) return [[place, type, '', 'has no numbered steps', '']]
    if (steps.length === 0) return [[place, type, String(to), 'up to date', '']]
    return steps.map(({ number, title }) => {
      const state =
        show === true
          ? number <= from
            ? 'has it'
            : 'lacks it'
          : dryRun === true
            ? 'due'
            : 'applied'
      return [place, type, String(number), title, state]
    })
  })
  return terminal.table(['place', 'type', 'step', 'what', 'state'], rows)
}
