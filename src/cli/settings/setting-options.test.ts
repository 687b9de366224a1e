// Goal: the command line refuses a setting that no store could have, wherever it comes from, names it as
// it was given, and opens nothing.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runCli } from '../run-cli.ts'
import { ENVIRONMENT, SETTING_NAMES, type SettingName } from './settings.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everthread-settings-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Text that is bad for each of them, as a flag or a variable. */
const BAD: Readonly<Record<SettingName, string>> = {
  primary: 'postgres://host/db?sslmod=require',
  backup: 'redis://host?cluster=yes',
  wal: 'redis-stream://host?partitions=0',
  cache: 'memcached://host?nodes=b',
  tenant: 'x'.repeat(300),
  read: 'failovr',
  write: 'wal_first',
  health: 'none',
  encryption: 'k1:short',
}
const FLAGS = SETTING_NAMES.filter((name) => name !== 'encryption')

interface Sources {
  readonly args?: readonly string[]
  readonly variables?: Readonly<Record<string, string>>
}

/** Exit code and standard error of `everthread status`. */
async function status({ args = [], variables = {} }: Sources): Promise<readonly [number, string]> {
  let told = ''
  const stream = {
    write: (text: string, done?: () => void) => {
      told += text
      done?.()
      return true
    },
    on: () => stream,
    once: () => stream,
    off: () => stream,
  }
  const code = await runCli(['status', ...args], {
    stdin: process.stdin,
    stdout: stream as never,
    stderr: stream as never,
    variables,
    cwd: folder,
    interrupt: new AbortController().signal,
  })
  return [code, told]
}

test.each(FLAGS)('the flag --%s', async (name) => {
  const [code, told] = await status({ args: [`--${name}`, BAD[name]] })
  expect([code, told]).toEqual([2, expect.stringContaining(`--${name}`)])
  expect(await readdir(folder)).toEqual([])
})

test.each(SETTING_NAMES)('the variable of %s', async (name) => {
  const variable = ENVIRONMENT[name]
  const [code, told] = await status({ variables: { [variable]: BAD[name] } })
  expect([code, told]).toEqual([2, expect.stringContaining(variable)])
  expect(told).not.toContain('short')
  expect(await readdir(folder)).toEqual([])
})

describe('the configuration file', () => {
  test.each<[object, string]>([
    ...SETTING_NAMES.map((name): [object, string] => [{ [name]: BAD[name] }, name]),
    ...SETTING_NAMES.map((name): [object, string] => [{ [name]: null }, name]),
    ...SETTING_NAMES.map((name): [object, string] => [{ [name]: 7 }, name]),
    [{ primary: { type: 'postgresql', poolSize: 3 } }, 'primary.poolSize is not known'],
    [{ primary: { type: 'sqlite', path: 'a', busyTimeout: 1 } }, 'did you mean busyTimeoutMs?'],
    [{ wal: { type: 'file', maxFileSize: 1 } }, 'wal.maxFileSize must be an integer from 65536'],
    [
      { wal: { type: 'file', config: { batchEntries: 'many' } } },
      'wal.config.batchEntries must be',
    ],
    [{ read: { type: 'failover', config: { timeOut: 1 } } }, 'read.config.timeOut is not known'],
    [
      { write: { type: 'idempotent', config: { hedge: { factor: 0 } } } },
      'write.config.hedge.factor',
    ],
    [{ encryption: { keys: [{ id: 'a', secret: 'short' }] } }, 'encryption.keys[0].secret must be'],
    [{ reconcile: false }, 'reconcile is not known'],
  ])('%j', async (config, message) => {
    await writeFile(join(folder, 'everthread.config.json'), JSON.stringify(config))
    const [code, told] = await status({})
    expect([code, told]).toEqual([2, expect.stringContaining(message)])
    expect(await readdir(folder)).toEqual(['everthread.config.json'])
  })
})
