import { expect, test } from 'vitest'
import { redactText, secretsOf } from './redact-text.ts'

test('a password is found in a url, also in the form that a driver shows it', () => {
  const secrets = secretsOf({ type: 'postgresql', url: 'postgresql://me:p%40ss@db/app' })
  const text = redactText('p@ss was refused; tried postgres://me:p%40ss@db/app twice', secrets)
  expect(text).toBe('*** was refused; tried postgres://me:***@db/app twice')
})

test('a password field is one too, and what is no source has none', () => {
  expect(secretsOf({ type: 'postgresql', host: 'db', password: 'hunter2' })).toEqual(['hunter2'])
  expect(secretsOf('redis://:hunter2@cache')).toEqual(['hunter2'])
  expect(secretsOf({ url: 'redis://:100%@cache' })).toEqual(['100%'])
  expect([...secretsOf('sqlite:a.db'), ...secretsOf(undefined)]).toEqual([])
})
