/* What an option may be: the entries of option tables. */
import type { Env } from './env.ts'
import { invalid } from './errors.ts'
import { checkArray, checkText } from './limits.ts'
import type { Logger } from './logger.ts'
import { resolve, type Filled, type Needed, type Option, type Resolved } from './options.ts'
import type { Table } from './options.ts'
import { showKind, showValue } from './show-value.ts'

/** Longest text that has no limit of its own. */
const TEXT_MAX = 65_536

/** The option, with what holds where it is left out. */
export function byDefault<Value>(value: Value, option: Option<Value>): Filled<Value> {
  return { ...option, default: value }
}

/** The option, which must be given. */
export function needed<Value>(option: Option<Value>): Needed<Value> {
  return { ...option, needed: true }
}

/** The same of what a call is about, in place of a setting: nobody takes it from the environment. */
export function argument<Value>(option: Option<Value>): Needed<Value> {
  return { ...option, needed: true, isArgument: true }
}

/** Whatever passes the test. */
export function value<Value>(
  takes: string,
  isGood: (given: unknown) => boolean,
  parse?: Option<Value>['parse'],
): Option<Value> {
  return {
    takes,
    check(path, given) {
      if (isGood(given)) return given as Value
      throw invalid(`${path} must be ${takes}, got ${showValue(given)}`)
    },
    ...(parse !== undefined && { parse }),
  }
}

/** An integer; both bounds are good. */
export function integer(min: number, max: number, unit = ''): Option<number> {
  const takes = `an integer from ${min} to ${max}${unit === '' ? '' : ` ${unit}`}`
  return value(takes, (given) => isWithin(given, min, max), numberOf)
}

/** Milliseconds. */
export function ms(min: number, max: number): Option<number> {
  return integer(min, max, 'ms')
}

/** A size. */
export function bytes(min: number, max: number): Option<number> {
  return integer(min, max, 'bytes')
}

/** A finite number above 0. */
export function positive(): Option<number> {
  return value('a number above 0', (given) => Number.isFinite(given) && Number(given) > 0)
}

export function boolean(): Option<boolean> {
  return value(
    'boolean',
    (given) => typeof given === 'boolean',
    (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
  )
}

/** One of these texts. */
export function oneOf<const Text extends string>(...texts: readonly Text[]): Option<Text> {
  const isGood = (given: unknown): boolean => (texts as readonly unknown[]).includes(given)
  return value(listed(texts), isGood, (text) => text)
}

/** `a, b or c`. */
export function listed(texts: readonly string[]): string {
  return texts.join(', ').replace(/, ([^,]*)$/, ' or $1')
}

/** A text that is not empty, of at most so many UTF-8 bytes. */
export function text(bytesMax: number = TEXT_MAX): Option<string> {
  return {
    takes: `text of 1 to ${bytesMax} bytes`,
    check(path, given) {
      checkText(path, given, bytesMax)
      return given
    },
    parse: (given) => given,
  }
}

/** A text of this form, which `takes` describes. */
export function matching(pattern: RegExp, takes: string): Option<string> {
  return value(
    takes,
    (given) => typeof given === 'string' && pattern.test(given),
    (given) => given,
  )
}

/** The option without what was given in its messages: it may be a secret. */
export function hidden<Value>(option: Option<Value>): Option<Value> {
  return {
    ...option,
    check(path, given) {
      try {
        return option.check(path, given)
      } catch {
        throw invalid(`${path} must be ${option.takes}, got ${showKind(given)}`)
      }
    },
  }
}

/** A text that may be empty and that no message shows: a password, or a URL that may have one in it. */
export function secret(): Option<string> {
  const isGood = (given: unknown): boolean =>
    typeof given === 'string' &&
    given.length <= TEXT_MAX &&
    given.isWellFormed() &&
    !given.includes('\0')
  return hidden(
    value(
      `well-formed text without NUL of at most ${TEXT_MAX} characters`,
      isGood,
      (given) => given,
    ),
  )
}

/** What can be called. */
export function callback<Value>(): Option<Value> {
  return value('a function', (given) => typeof given === 'function')
}

/** What ends a call. */
export function abortSignal(): Option<AbortSignal> {
  return value('an AbortSignal', (given) => given instanceof AbortSignal)
}

/** Something ready made, which has these methods. */
export function having<Value>(what: string, methods: readonly string[]): Option<Value> {
  return value(`${what} (with ${methods.join(', ')})`, (given) => hasMethods(given, methods))
}

/** An array, each of whose elements is such an option. */
export function list<Value>(of: Option<Value>, min = 0): Option<readonly Value[]> {
  return {
    takes: `an array of ${of.takes}`,
    check(path, given) {
      checkArray(path, given)
      if (given.length < min) throw invalid(`${path} must not be empty`)
      return given.map((each, i) => of.check(`${path}[${i}]`, each))
    },
  }
}

/** An object where one is given, else the other. */
export function either<Simple, Fields>(
  simple: Option<Simple>,
  object: Option<Fields>,
): Option<Simple | Fields> {
  const takes = `${simple.takes} or ${object.takes}`
  return {
    takes,
    check(path, given) {
      if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
        return object.check(path, given)
      }
      return hidden({ ...simple, takes }).check(path, given)
    },
    ...(simple.parse !== undefined && { parse: simple.parse }),
    ...(object.fields !== undefined && { fields: object.fields }),
  }
}

/** An object with the fields of a table. */
export function fields<T extends Table>(table: T): Option<Resolved<T>> {
  return {
    takes: 'an object',
    fields: table,
    check(path, given) {
      return resolve(path, given, table)
    },
  }
}

export function hasMethods(given: unknown, methods: readonly string[]): boolean {
  if ((typeof given !== 'object' && typeof given !== 'function') || given === null) return false
  return methods.every((name) => typeof (given as Record<string, unknown>)[name] === 'function')
}

const LOGGER_METHODS = ['debug', 'info', 'warn', 'error']

/** Any pino-like logger. */
export const LOGGER: Option<Logger> = having('a logger', LOGGER_METHODS)

/** A logger, or none at all. */
export const STORE_LOGGER: Option<Logger | false> = {
  takes: `${LOGGER.takes}, or false`,
  check(path, given) {
    if (given === false) return given
    if (hasMethods(given, LOGGER_METHODS)) return given as Logger
    throw invalid(`${path} must be ${STORE_LOGGER.takes}, got ${showValue(given)}`)
  },
}

/** Clocks, timers, randomness and disk. */
export const ENV: Option<Env> = having('an Env', ['now', 'monotonic', 'setTimer', 'randomBytes'])

/** Refuses anything but an environment. */
export function checkEnv(env: unknown): void {
  ENV.check('env', env)
}

function isWithin(given: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(given) && Number(given) >= min && Number(given) <= max
}

function numberOf(given: string): unknown {
  return /^\d+$/.test(given) ? Number(given) : given
}
