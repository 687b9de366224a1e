import { ENVIRONMENT, SETTING_NAMES, type SettingName } from '../settings/settings.ts'

/** What goes into a configuration file: a text, or `fromEnvironment` for one that stays out of it. */
export type ConfigValues = Partial<Record<SettingName, string | typeof FROM_ENVIRONMENT>>

export const FROM_ENVIRONMENT: unique symbol = Symbol('from the environment')

/** The text of a module that exports the settings, for the command line and for the program alike. */
export function moduleText(values: ConfigValues): string {
  const fields = SETTING_NAMES.flatMap((name) => {
    const value = values[name]
    if (value === undefined) return []
    const text =
      value === FROM_ENVIRONMENT ? `fromEnvironment('${ENVIRONMENT[name]}')` : quoted(value)
    return [`  ${name}: ${name === 'encryption' ? `{ keys: ${text} }` : text},`]
  })
  const isPlain = !Object.values(values).includes(FROM_ENVIRONMENT)
  return [
    ...(isPlain ? [] : [IMPORT, '']),
    '// Settings of everthread: the command line reads them from here, and a program can import them and',
    '// hand them to openChatHistory.',
    'export default {',
    ...fields,
    '}',
    ...(isPlain ? [] : ['', ...FUNCTION]),
    '',
  ].join('\n')
}

// In two parts: this module itself imports nothing of the kind.
const IMPORT = `import { readFileSync } ${"from 'node:fs'"}`
const FUNCTION: readonly string[] = [
  '/** A secret stays out of files that others read: the variable has it, or NAME_FILE names a file that does. */',
  'function fromEnvironment(name) {',
  '  const file = process.env[`${name}_FILE`]',
  "  const value = file ? readFileSync(file, 'utf8').trim() : process.env[name]",
  '  if (!value) throw new Error(`${name} is not set`)',
  '  return value',
  '}',
]

/** The same as JSON, which only the command line reads. Nothing in it may come from the environment. */
export function jsonText(values: ConfigValues): string {
  return `${JSON.stringify(values, undefined, 2)}\n`
}

function quoted(text: string): string {
  return /^[\u0020-\u007e]*$/.test(text) && !/['\\]/.test(text) ? `'${text}'` : JSON.stringify(text)
}
