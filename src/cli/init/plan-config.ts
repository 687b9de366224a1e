import { hasPassword } from '../settings/has-password.ts'
import {
  resolveSettings,
  type GivenSettings,
  type SettingSources,
} from '../settings/resolve-settings.ts'
import { SETTING_NAMES, type Settings } from '../settings/settings.ts'
import { FROM_ENVIRONMENT, type ConfigValues } from './config-text.ts'
import { START } from './start.ts'

export interface ConfigPlan {
  readonly sources: SettingSources
  /** What the store would be opened with. */
  readonly settings: Settings
  /** What is written. */
  readonly values: ConfigValues
}

/**
 * What a new configuration holds: flags before environment before answers before defaults. What a
 * variable has stays there, and what has a password goes there.
 *
 * @throws UsageError for a flag with a password in it.
 */
export function planConfig(
  answers: GivenSettings,
  environment: GivenSettings,
  flags: GivenSettings,
): ConfigPlan {
  const chosen = { ...START, ...answers, ...environment, ...flags }
  const reads = readsFor(chosen)
  const given = { ...reads, ...chosen }
  const config = { ...reads, ...START, ...answers } as unknown as Settings
  const sources = { config, environment, flags }
  const settings = resolveSettings(sources)
  const values: ConfigValues = {}
  for (const name of SETTING_NAMES) {
    const value = given[name]
    if (value === undefined) continue
    const isInVariable = environment[name] !== undefined && flags[name] === undefined
    values[name] = isInVariable || hasPassword(value) ? FROM_ENVIRONMENT : value
  }
  return { sources, settings, values }
}

/** One read strategy alone uses a cache: a cache that nobody reads helps nobody. */
function readsFor({ cache, read }: GivenSettings): GivenSettings {
  return cache !== undefined && read === undefined ? { read: 'cache-enhanced' } : {}
}
