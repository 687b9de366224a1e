// Goal: no option is taken that cannot work, and none is ignored. Method: each constructor and function
// of the package that takes options is called with an unknown field, with each field misspelt, and with
// each of a list of bad values for each field: it refuses before any effect, and names the path. The
// list of them is compared with what the package exports.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as memcached from '../../src/backend/memcached/index.ts'
import * as postgres from '../../src/backend/postgres/index.ts'
import * as redis from '../../src/backend/redis/index.ts'
import * as s3 from '../../src/backend/s3/index.ts'
import * as sqlite from '../../src/backend/sqlite/index.ts'
import * as core from '../../src/core.ts'
import type { Option, Table } from '../../src/core/options.ts'
import * as library from '../../src/index.ts'
import * as testing from '../../src/testing/index.ts'
import { ENTRIES, OTHER_ARGUMENTS, WITHOUT_OPTIONS, type Entry } from '../support/every-option.ts'

const THROWS = {
  get: (): never => {
    throw new RangeError('not now')
  },
  ownKeys: (): never => {
    throw new RangeError('not now')
  },
}
/** No option takes one of these. */
const NEVER: readonly unknown[] = [
  null,
  Number.NaN,
  -Infinity,
  -1,
  1.5,
  2 ** 53,
  5n,
  Symbol('s'),
  [],
  [null],
  'no\0such',
  '\ud800',
  new Proxy({}, THROWS),
]
const NO_OPTIONS: readonly unknown[] = [...NEVER, true, 'text', 7, () => 1, [{}]]

/** Bad values for an option, by what it says of itself. */
function wrongFor({ takes, fields }: Option<unknown>): readonly unknown[] {
  const [, min, max] = /^an integer from (-?\d+) to (\d+)/.exec(takes) ?? []
  if (min !== undefined) {
    const bounds = [Number(min) - 1, Number(max) + 1].filter(Number.isSafeInteger)
    const never = NEVER.filter((value) => value !== -1 || Number(min) > -1)
    return [...never, ...bounds, Infinity, true, {}, String(max), () => 1]
  }
  if (/Infinity/.test(takes)) return NEVER.filter((value) => !isPositive(value))
  // What stands in such an object is checked by node:tls.
  if (/node:tls/.test(takes)) return [...NEVER.slice(0, -1), 'no such', 7]
  if (/number/.test(takes))
    return [...NEVER.filter((value) => !isPositive(value)), Infinity, '3', 0]
  if (takes === 'boolean') return [...NEVER, 0, 1, '', 'true', {}, () => 1]
  if (takes === 'a function') return [...NEVER, 'text', {}, true]
  if (fields !== undefined) return [...NEVER, 'no such', 7]
  return [...NEVER, 7, { noSuchField: 1 }]
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}

/** The error of a call; undefined when it takes what it is given. */
async function refusal(make: Entry['make'], given: unknown): Promise<unknown> {
  try {
    await make(given as never)
    return undefined
  } catch (error) {
    return error
  }
}

/** What a refusal lacks: it must be ours, without effect, and begin with the path. */
async function lacks(entry: Entry, given: unknown, path: string, hint = ''): Promise<string[]> {
  const error = await refusal(entry.make, given)
  const isOurs = library.isStorageError(error, 'INVALID_ARGUMENT') && error.effect === 'none'
  const message = error instanceof Error ? error.message : 'taken'
  if (isOurs && message.startsWith(path) && message.includes(hint)) return []
  return [`${path}: ${message}`]
}

/** Every field of a table, and those of the objects in it, with a call that gives it a value. */
function* everyField(
  table: Table,
  good: object,
  path = '',
): Generator<{
  path: string
  option: Option<unknown>
  give: (name: string, value: unknown) => object
}> {
  for (const [name, option] of Object.entries(table)) {
    yield { path: path + name, option, give: (field, value) => ({ ...good, [field]: value }) }
    if (option.fields === undefined) continue
    const inner = sampleOf(option.fields)
    for (const field of everyField(option.fields, inner, `${path}${name}.`)) {
      yield {
        ...field,
        give: (given, value) => ({ ...good, [name]: field.give(given, value) }),
      }
    }
  }
}

/** The fields that are needed, with something that is good for each. */
function sampleOf(table: Table): object {
  const needed = Object.entries(table).filter(([, option]) => option.needed === true)
  return Object.fromEntries(
    needed.map(([name, { takes }]) => [
      name,
      takes.startsWith('an array')
        ? [{ host: 'a', port: 1 }]
        : takes.startsWith('an integer')
          ? 1
          : 'a',
    ]),
  )
}

/** In a folder of its own, which must be empty at the end. */
function inEmptyFolder(): { readonly isEmpty: () => boolean } {
  const before = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'everthread-options-'))
  process.chdir(folder)
  onTestFinished(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true, force: true })
  })
  return { isEmpty: () => readdirSync(folder).length === 0 }
}

test('everything that the package exports is called here, or takes no options', () => {
  const modules = [library, core, testing, memcached, postgres, redis, s3, sqlite]
  const exported = modules.flatMap((module) => Object.keys(module))
  const known = new Set([...ENTRIES.map(({ of }) => of), ...Object.keys(WITHOUT_OPTIONS)])
  expect([...new Set(exported)].sort()).toEqual([...known].sort())
  const ways = Object.keys(library.StrategyFactory)
  expect(ways).toHaveLength(5)
})

describe.each(ENTRIES.map((entry, i) => ({ ...entry, name: `${entry.of} (${i})` })))(
  '$name',
  (entry) => {
    const { table, make, good = {}, path: start = '' } = entry
    const root = start === '' ? '' : start.slice(0, -1)

    test('takes what is good', async () => {
      const made = await refusal(async (options) => {
        const result = (await make(options)) as { close?: () => Promise<void> } | undefined
        await result?.close?.()
      }, good)
      expect(made).toBeUndefined()
    })

    test('refuses a field that it does not know, and guesses the one that is meant', async () => {
      const { isEmpty } = inEmptyFolder()
      const wrong = await lacks(
        entry,
        { ...good, noSuchOption: 1 },
        `${start}noSuchOption is not known`,
      )
      for (const { path, give } of everyField(table, good)) {
        const name = path.split('.').at(-1)!
        const misspelt = `${name}${name.at(-1)}`
        wrong.push(
          ...(await lacks(
            entry,
            give(misspelt, 1),
            `${start}${path}${name.at(-1)} is`,
            `mean ${name}?`,
          )),
        )
      }
      expect(wrong).toEqual([])
      expect(isEmpty()).toBe(true)
    })

    test('refuses what is no object', async () => {
      const { isEmpty } = inEmptyFolder()
      const wrong: string[] = []
      for (const given of NO_OPTIONS) {
        wrong.push(...(await lacks(entry, given, root === '' ? 'options ' : root)))
      }
      expect(wrong).toEqual([])
      expect(isEmpty()).toBe(true)
    })

    test('refuses a bad value of each field by its path', async () => {
      const { isEmpty } = inEmptyFolder()
      const wrong: string[] = []
      for (const { path, option, give } of everyField(table, good)) {
        const name = path.split('.').at(-1)!
        for (const value of wrongFor(option)) {
          wrong.push(...(await lacks(entry, give(name, value), start + path)))
        }
      }
      expect(wrong).toEqual([])
      expect(isEmpty()).toBe(true)
    })
  },
)

test.each(Object.entries(OTHER_ARGUMENTS))('%s must be one', async (_name, make) => {
  const taken: unknown[] = []
  for (const given of [null, 'text', 7, [], {}, () => 1, Symbol('s')]) {
    const error = await refusal(make, given)
    if (!library.isStorageError(error, 'INVALID_ARGUMENT')) taken.push([given, String(error)])
  }
  expect(taken).toEqual([])
})
