import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { redactText, secretsOf } from './redact.ts'

test.each([
  ['as it is written and as it is meant', 'p@ss was refused; tried redis://me:p%40ss@db/1 twice'],
  ['as a driver may write it', 'p%40ss'],
  ['in the text of JSON', String.raw`{"error":"refused:\np@ss"}`],
  ['in quotes', `password='p@ss'`],
])('a password is taken out %s', (_how, text) => {
  const redacted = redactText(text, secretsOf({ url: 'postgresql://me:p%40ss@db/app' }))
  expect(redacted).not.toMatch(/p(?:@|%40)ss/)
  expect(redacted).toContain('***')
})

test('of the three ways to write an escape each is found', () => {
  const secrets = secretsOf('redis://:p^s%3ffoo@cache')
  const text = 'p^s%3ffoo p%5Es%3Ffoo p%5es%3ffoo p^s?foo'
  expect(redactText(text, secrets)).toBe('*** *** *** ***')
})

describe('a secret is not told by what stands in its place', () => {
  test.each([
    ['postgresql://me:prod@prod-db.example.com/app', 'ENOTFOUND prod-db.example.com: product'],
    ['postgresql://me:prod@eu.prod.example.com/app', 'cannot reach eu.prod.example.com'],
    ['redis://:redis@redis:6379', 'cannot connect to Redis at redis:6379'],
    ['postgresql://app:app@db/app', 'database "app" of role "app" does not exist'],
    ['postgresql://me:postgres@db/postgres', 'database "postgres" does not exist'],
    ['redis://:a@cache', 'a connection was lost'],
  ])('%s', (url, text) => {
    const secrets = secretsOf(url)
    expect(redactText(text, secrets)).toBe(text)
    const whole = redactText(`tried ${url}`, secrets)
    expect(whole).toMatch(/^tried [a-z]+:\/\/(?:\w+:)?\*{3}@/)
  })
})

test.each([
  [{ user: 'app1', password: 'app1', database: 'app1' }, 'database "app1" of "app1" is not there'],
  [{ password: 'database' }, 'primary database gave no answer'],
  [{ password: '5432' }, 'connect ECONNREFUSED 127.0.0.1:5432'],
  ['postgresql://me:timeout@db/app', 'timeout expired'],
])('a password that is a word, a number or a name is left where it is none: %j', (source, text) => {
  const secrets = secretsOf(source)
  expect(redactText(text, secrets)).toBe(text)
})

test('such a password is taken out where one is named', () => {
  const secrets = secretsOf({ password: 'database', token: '123456' })
  const text = `password=database {"password":"database","token":"123456"} secretKey: 'database'`
  const told = `password=*** {"password":"***","token":"***"} secretKey: '***'`
  expect(redactText(text, secrets)).toBe(told)
})

test('passwords are found in fields, lists and queries at any depth', () => {
  const secrets = secretsOf({
    primary: { type: 'redis', password: 'one-word', sentinel: { password: 'two-word' } },
    backup: { credentials: { secretAccessKey: 'three/word', sessionToken: 'four+word' } },
    cache: 's3://b?secretAccessKey=k%2Fey9',
    encryption: 'a:AAAAsecret=,b:BBBBsecret=',
    more: { keys: [{ id: 'c', secret: 'CCCCsecret=' }] },
  })
  const text = 'one-word two-word three/word four+word k%2Fey9 AAAAsecret= BBBBsecret= CCCCsecret='
  expect(redactText(text, secrets)).toBe(text.replaceAll(/\S+/g, '***'))
})

test('what is no source has none, and a % that begins no escape is itself', () => {
  expect([...secretsOf('sqlite:a.db'), ...secretsOf(undefined)]).toEqual([])
  expect(redactText('tried 100%', secretsOf({ url: 'redis://:100%@cache' }))).toBe('tried ***')
})

test('whatever the password is, it is not in what is told of its URL', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9!$'()*,;&=+^|{}._~-]{1,20}$/), (password) => {
      const url = `postgresql://user:${password}@host/db`
      const told = redactText(`cannot connect to ${url}`, secretsOf({ primary: url }))
      expect(told).toBe('cannot connect to postgresql://user:***@host/db')
    }),
  )
})

test('a long text without a URL is read as fast as any', () => {
  const text = 'a'.repeat(1_000_000)
  expect(redactText(text, secretsOf('redis://:hunter2@cache'))).toBe(text)
})
