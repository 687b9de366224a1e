import { CHAT_HISTORY_OPTIONS } from '../../chat/open-chat-history.ts'
import type { Option, OptionTable } from '../../core/options.ts'
import { ENVIRONMENT, type SettingName, type Settings } from './settings.ts'
import type { SettingSources } from './resolve-settings.ts'

const { primary, backup, wal, cache, tenant, read, write, health } = CHAT_HISTORY_OPTIONS
const { encryption } = CHAT_HISTORY_OPTIONS

/** What a setting may be: the same as for the library. Loaded late: it knows the whole store. */
const SETTING_OPTIONS: OptionTable<Settings> = {
  primary,
  backup,
  wal,
  cache,
  tenant,
  read,
  write,
  health,
  encryption,
}

/**
 * Refuses a setting that no store could have, by the name that it was given by.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the flag, the variable or the field.
 */
export function checkSettings(settings: Settings, { environment, flags }: SettingSources): void {
  for (const [name, value] of Object.entries(settings) as [SettingName, unknown][]) {
    const variable = environment[name] === undefined ? name : ENVIRONMENT[name]
    const option: Option<unknown> = SETTING_OPTIONS[name]
    option.check(flags[name] === undefined ? variable : `--${name}`, value)
  }
}
