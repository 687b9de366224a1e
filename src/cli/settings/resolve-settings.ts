import { UNSET } from '../../core/options.ts'
import { UsageError } from '../usage-error.ts'
import { hasPassword } from './has-password.ts'
import { ENVIRONMENT, SETTING_NAMES, type SettingName, type Settings } from './settings.ts'

/** Where data lies: never at the default's place because a file could not say where. */
const PLACES: ReadonlySet<SettingName> = new Set(['primary', 'backup', 'wal'])

export type GivenSettings = Partial<Record<SettingName, string>>

export interface SettingSources {
  readonly config: Settings
  readonly environment: GivenSettings
  readonly flags: GivenSettings
}

/**
 * The settings that hold: flags before environment before configuration file, each setting on its
 * own. What nobody gave is left out, so the library's default holds.
 *
 * @throws UsageError for a flag with a password: arguments are seen by every user of the machine
 * and kept in the shell's history.
 */
export function resolveSettings({ config, environment, flags }: SettingSources): Settings {
  for (const name of SETTING_NAMES) {
    const value = flags[name]
    if (value !== undefined && hasPassword(value)) {
      throw new UsageError(
        `--${name} has a password in it, which other users of this machine can see. ` +
          `Give it by the environment variable ${ENVIRONMENT[name]} (or a file, by ` +
          `${ENVIRONMENT[name]}_FILE) instead, and change it if it was a real one.`,
      )
    }
  }
  const settings: Record<string, unknown> = {}
  for (const name of SETTING_NAMES) {
    const value = flags[name] ?? environment[name] ?? config[name]
    if (value !== undefined) settings[name] = value
    else if (PLACES.has(name) && Object.hasOwn(config, name)) {
      throw new UsageError(`${name} of the configuration file is undefined: ${UNSET}`)
    }
  }
  return withKeys(settings)
}

/** Keys come as text from the environment, and as text or an object from a configuration file. */
function withKeys(settings: Settings): Settings {
  const given: unknown = settings.encryption
  return typeof given === 'string' ? { ...settings, encryption: { keys: given } } : settings
}
