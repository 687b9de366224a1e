import { messageOf } from '../../core/errors.ts'
import { UsageError } from '../usage-error.ts'
import { ENVIRONMENT, SETTING_NAMES, type SettingName } from './settings.ts'

export type Variables = Readonly<Record<string, string | undefined>>

/**
 * The settings in the environment. A variable that is empty counts as not set.
 *
 * @throws UsageError when a variable is given twice, or its file cannot be read.
 */
export async function readEnvironment(
  variables: Variables,
  readText: (path: string) => Promise<string>,
): Promise<Partial<Record<SettingName, string>>> {
  const settings: Partial<Record<SettingName, string>> = {}
  for (const name of SETTING_NAMES) {
    const variable = ENVIRONMENT[name]
    const value = variables[variable] ?? ''
    const path = variables[`${variable}_FILE`] ?? ''
    if (value !== '' && path !== '') {
      throw new UsageError(`Set either ${variable} or ${variable}_FILE, not both.`)
    }
    const text = path === '' ? value : await readSecret(`${variable}_FILE`, path, readText)
    if (text !== '') settings[name] = text
  }
  return settings
}

async function readSecret(
  variable: string,
  path: string,
  readText: (path: string) => Promise<string>,
): Promise<string> {
  let text: string
  try {
    text = (await readText(path)).trim()
  } catch (error) {
    throw new UsageError(`${variable} cannot be read: ${messageOf(error)}`)
  }
  if (text === '') throw new UsageError(`${variable} names an empty file: ${path}`)
  return text
}
