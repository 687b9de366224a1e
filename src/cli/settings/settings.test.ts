import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { messageOf } from '../../core/errors.ts'
import { redactText, secretsOf } from '../../core/redact.ts'
import { UsageError } from '../usage-error.ts'
import { hasPassword } from './has-password.ts'
import { loadConfig } from './load-config.ts'
import { readEnvironment } from './read-environment.ts'
import { resolveSettings } from './resolve-settings.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everthread-settings-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('where a setting comes from', () => {
  test('flags beat the environment, which beats the configuration file, each for itself', () => {
    const settings = resolveSettings({
      config: { primary: 'memory:', backup: 'memory:', wal: 'memory:', read: { type: 'failover' } },
      environment: { backup: 'sqlite:e.db', wal: 'file:e' },
      flags: { wal: 'file:f' },
    } as Parameters<typeof resolveSettings>[0])
    expect(settings).toEqual({
      primary: 'memory:',
      backup: 'sqlite:e.db',
      wal: 'file:f',
      read: { type: 'failover' },
    })
  })

  test('a place of the configuration file that is undefined is refused, unless it is given elsewhere', () => {
    const config = { backup: undefined } as object
    const resolve = (flags: object): unknown => resolveSettings({ config, environment: {}, flags })
    expect(() => resolve({})).toThrow('backup of the configuration file is undefined')
    expect(resolve({ backup: 'memory:' })).toEqual({ backup: 'memory:' })
  })

  test('what nobody gave is left to the library', () => {
    expect(resolveSettings({ config: {}, environment: {}, flags: {} })).toEqual({})
  })

  test('an environment variable may name a file, whose line end is not part of the value', async () => {
    const variables = {
      EVERTHREAD_PRIMARY_URL_FILE: '/run/secret',
      EVERTHREAD_TENANT: 'acme',
      EVERTHREAD_WAL: '',
    }
    const settings = await readEnvironment(variables, async () => 'postgresql://u:p@h/d\n')
    expect(settings).toEqual({ primary: 'postgresql://u:p@h/d', tenant: 'acme' })
  })

  test('a variable and its file together are a mistake, and so is a file that is not there', async () => {
    const both = { EVERTHREAD_WAL: 'a', EVERTHREAD_WAL_FILE: 'b' }
    await expect(readEnvironment(both, async () => 'c')).rejects.toThrow(UsageError)
    const absent = { EVERTHREAD_WAL_FILE: 'b' }
    const failing = readEnvironment(absent, () => Promise.reject(new Error('ENOENT')))
    await expect(failing).rejects.toThrow('EVERTHREAD_WAL_FILE cannot be read: ENOENT')
  })

  test.each([
    ['EVERTHREAD_PRIMARY', 'EVERTHREAD_PRIMARY_URL'],
    ['EVERTHREAD_BACKUP_ULR', 'EVERTHREAD_BACKUP_URL'],
    ['EVERTHREAD_TENNANT', 'EVERTHREAD_TENANT'],
    ['EVERTHREAD_WAL_FLIE', 'EVERTHREAD_WAL_FILE'],
    ['EVERTHREAD_ENCRYPTION', 'EVERTHREAD_ENCRYPTION_KEYS'],
  ])('%s is a mistake: %s is meant', async (variable, meant) => {
    const reading = readEnvironment({ [variable]: 'x' }, async () => 'x')
    await expect(reading).rejects.toThrow(`${variable} is not known; did you mean ${meant}?`)
  })

  test('a variable that is like none of ours is another program’s', async () => {
    const variables = { EVERTHREAD_DASHBOARD_PORT: '1', EVERTHREAD_: '1', WAL: '1' }
    expect(await readEnvironment(variables, async () => 'x')).toEqual({})
  })

  test('a field of the configuration file that is misspelt is told what it may mean', async () => {
    await writeFile(join(folder, 'everthread.config.json'), '{"primry":"x"}')
    await expect(loadConfig(folder, undefined)).rejects.toThrow(
      'everthread.config.json is wrong: primry is not known; did you mean primary?',
    )
  })

  test('no configuration file is no settings, but a named one must be there', async () => {
    expect(await loadConfig(folder, undefined)).toEqual({})
    await expect(loadConfig(folder, 'x.json')).rejects.toThrow(UsageError)
  })

  test('a broken configuration file is named without any of its secrets', async () => {
    await writeFile(join(folder, 'c.json'), '{"primary":{"password":hunter2hunter2}}')
    const error = await loadConfig(folder, join(folder, 'c.json')).catch(messageOf)
    expect(error).toContain("c.json is broken: Unexpected token 'h'")
    expect(error).not.toContain('hunter')
  })

  test('both kinds of configuration file are read', async () => {
    await writeFile(join(folder, 'everthread.config.mjs'), 'export default { tenant: "m" }')
    expect(await loadConfig(folder, undefined)).toEqual({ tenant: 'm' })
    await writeFile(join(folder, 'everthread.config.json'), '{"tenant":"j"}')
    expect(await loadConfig(folder, undefined)).toEqual({ tenant: 'j' })
    expect(await loadConfig(folder, 'everthread.config.mjs')).toEqual({ tenant: 'm' })
  })

  test.each(['{', '[]', '{"primry":"x"}'])('the configuration %s is refused', async (text) => {
    await writeFile(join(folder, 'everthread.config.json'), text)
    await expect(loadConfig(folder, undefined)).rejects.toThrow(UsageError)
  })
})

describe('passwords', () => {
  test.each([
    'postgresql://user:secret@host/db',
    'redis://:secret@host',
    'postgres://user:se/cret@host/db',
    'postgresql://host/db?user=a&password=b',
    'host=localhost password=secret',
    's3://bucket?secretAccessKey=x',
  ])('%s is refused as a flag', (url) => {
    expect(hasPassword(url)).toBe(true)
    const resolve = (): unknown =>
      resolveSettings({ config: {}, environment: {}, flags: { backup: url } })
    expect(resolve).toThrow('EVERTHREAD_BACKUP_URL')
    // The message must not repeat what it complains about.
    expect(resolve).not.toThrow(/secret@|password=b/)
  })

  test.each([
    'postgresql://user@host:5432/db',
    'sqlite:./data/a:b@c.db',
    'redis://localhost:6379',
    'file:/data/wal',
    'postgresql://host/db?sslmode=require',
  ])('%s has none', (url) => {
    expect(hasPassword(url)).toBe(false)
  })

  test('from the environment they are taken, and never printed', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9!$'()*,;&=+-]{4,20}$/), (password) => {
        const primary = `postgresql://user:${password}@host/db`
        const settings = resolveSettings({ config: {}, environment: { primary }, flags: {} })
        expect(settings.primary).toBe(primary)
        const told = redactText(`cannot connect to ${primary}`, secretsOf(settings))
        expect(told).toBe('cannot connect to postgresql://user:***@host/db')
      }),
    )
  })

  test('those in fields and queries are taken out too, encoded and decoded', () => {
    const secrets = secretsOf({
      primary: { type: 'postgresql', password: 'hunter22' },
      backup: 's3://b?secretAccessKey=k%2Fey9',
    })
    expect(redactText('hunter22 k%2Fey9 k/ey9', secrets)).toBe('*** *** ***')
  })
})
