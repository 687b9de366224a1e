import { messageOf } from '../../core/errors.ts'
import { nearest } from '../../core/options.ts'
import { UsageError } from '../usage-error.ts'
import { ENVIRONMENT, SETTING_NAMES, type SettingName } from './settings.ts'

export type Variables = Readonly<Record<string, string | undefined>>

/**
 * The settings in the environment. A variable that is empty counts as not set.
 *
 * @throws UsageError when a variable is misspelt or given twice, or its file cannot be read.
 */
export async function readEnvironment(
  variables: Variables,
  readText: (path: string) => Promise<string>,
): Promise<Partial<Record<SettingName, string>>> {
  refuseNearMisses(variables)
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

/** A variable that is nearly one of ours would do nothing; others may be another program's. */
function refuseNearMisses(variables: Variables): void {
  const names = Object.values(ENVIRONMENT).flatMap((name) => [name, `${name}_FILE`])
  for (const variable of Object.keys(variables)) {
    if (!variable.startsWith('EVERTHREAD_') || names.includes(variable)) continue
    const begun = names.find((name) => name.startsWith(`${variable}_`))
    const meant = begun ?? nearest(variable, names)
    if (meant === undefined) continue
    throw new UsageError(`${variable} is not known; did you mean ${meant}?`)
  }
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
