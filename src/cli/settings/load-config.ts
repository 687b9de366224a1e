import { readFile } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { invalid, messageOf } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { checkObject } from '../../core/limits.ts'
import { refuseUnknown } from '../../core/options.ts'
import { UsageError } from '../usage-error.ts'
import { SETTING_NAMES, type Settings } from './settings.ts'

/** Looked for in the working directory, in this order, when `--config` names no file. */
export const CONFIG_FILES: readonly string[] = ['everthread.config.json', 'everthread.config.mjs']

/**
 * The settings of the configuration file; none when there is no file. A `.mjs` file is run: it
 * exports the settings as `default`.
 *
 * @throws UsageError when the named file is absent, broken, or has a field that is not a setting.
 */
export async function loadConfig(cwd: string, path: string | undefined): Promise<Settings> {
  const candidates = path === undefined ? CONFIG_FILES.map((name) => join(cwd, name)) : [path]
  for (const candidate of candidates) {
    const value = await load(resolve(cwd, candidate), path !== undefined)
    if (value !== undefined) return checkConfig(value, candidate)
  }
  return {}
}

async function load(path: string, required: boolean): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !required) return undefined
    throw new UsageError(`The configuration file cannot be read: ${messageOf(error)}`)
  }
  try {
    if (extname(path) === '.json') return parseJson(text)
    const module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown }
    return module.default
  } catch (error) {
    throw new UsageError(`The configuration file ${path} is broken: ${messageOf(error)}`)
  }
}

function checkConfig(value: unknown, path: string): Settings {
  try {
    checkObject('it', value)
    refuseUnknown('', value, SETTING_NAMES)
    refuseUndefined(value)
    return value
  } catch (error) {
    throw new UsageError(`The configuration file ${path} is wrong: ${messageOf(error)}`)
  }
}

/** A variable of the environment that is not set must not become a default in silence. */
function refuseUndefined(value: object): void {
  const name = Object.entries(value).find(([, field]) => field === undefined)?.[0]
  if (name === undefined) return
  throw invalid(`${name} is undefined: leave it out, or set the variable that it comes from`)
}
