import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../../core/node-env.ts'
import { CredentialSource } from './credentials.ts'
import type { S3Options } from './options.ts'

/** Nothing of the machine that the test runs on. */
const NOWHERE = {
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
  AWS_CONFIG_FILE: '/nowhere',
  AWS_EC2_METADATA_DISABLED: 'true',
}
const FROM_ENVIRONMENT = { AWS_ACCESS_KEY_ID: 'env', AWS_SECRET_ACCESS_KEY: 'secret' }

function source(
  environment: NodeJS.ProcessEnv,
  { credentials, profile }: Pick<S3Options, 'credentials' | 'profile'> = {},
): CredentialSource {
  return new CredentialSource(nodeEnv(), { credentials, profile }, { ...NOWHERE, ...environment })
}

function files(): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-aws-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(
    join(folder, 'credentials'),
    '# a comment\n[default]\naws_access_key_id = file\naws_secret_access_key=a=b\n' +
      'aws_session_token = t\n[half]\naws_access_key_id = x\n',
  )
  writeFileSync(
    join(folder, 'config'),
    '[profile other]\r\nregion = x\r\naws_access_key_id = other\r\naws_secret_access_key = o\r\n',
  )
  return {
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_CONFIG_FILE: join(folder, 'config'),
  }
}

async function metadata(answers: Readonly<Record<string, string>>): Promise<string> {
  const server = createServer(({ method, url, headers }, response) => {
    const secret = headers['x-aws-ec2-metadata-token'] ?? headers.authorization ?? '-'
    const answer = answers[`${method} ${url} ${String(secret)}`]
    response.writeHead(answer === undefined ? 404 : 200).end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const ROLE = JSON.stringify({
  AccessKeyId: 'role',
  SecretAccessKey: 's',
  Token: 'session',
  Expiration: '2040-01-01T00:00:00Z',
})

test('the chain asks the environment, the files, then the metadata endpoints', async () => {
  const all = { ...FROM_ENVIRONMENT, ...files() }
  expect(await source(all).get()).toEqual({ accessKeyId: 'env', secretAccessKey: 'secret' })
  expect(await source(files()).get()).toEqual({
    accessKeyId: 'file',
    secretAccessKey: 'a=b',
    sessionToken: 't',
  })
  await expect(source({}).get()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('a profile that is named is used, whatever the environment holds', async () => {
  const all = { ...FROM_ENVIRONMENT, ...files() }
  expect(await source(all, { profile: 'other' }).get()).toMatchObject({ accessKeyId: 'other' })
  const named = source({ ...files(), AWS_PROFILE: 'other' })
  expect(await named.get()).toMatchObject({ accessKeyId: 'other' })
  await expect(source(all, { profile: 'half' }).get()).rejects.toThrow('no credentials')
})

test('those of a container and of an instance are read from their endpoints', async () => {
  const host = await metadata({
    'GET /container token': ROLE,
    'PUT /latest/api/token -': 'imds',
    'GET /latest/meta-data/iam/security-credentials/ imds': 'my-role\n',
    'GET /latest/meta-data/iam/security-credentials/my-role imds': ROLE,
  })
  const expected = {
    accessKeyId: 'role',
    secretAccessKey: 's',
    sessionToken: 'session',
    expiresAt: Date.UTC(2040, 0, 1),
  }
  const container = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${host}/container`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'token',
  }
  expect(await source(container).get()).toEqual(expected)
  const instance = { AWS_EC2_METADATA_DISABLED: '', AWS_EC2_METADATA_SERVICE_ENDPOINT: host }
  expect(await source(instance).get()).toEqual(expected)
})

test('a function is asked once for all, and again shortly before they end', async () => {
  let asked = 0
  let leftMs = 3_600_000
  const credentials = async () => {
    asked++
    return { accessKeyId: `${asked}`, secretAccessKey: 's', expiresAt: Date.now() + leftMs }
  }
  const given = source(FROM_ENVIRONMENT, { credentials })
  await Promise.all([given.get(), given.get()])
  expect((await given.get()).accessKeyId).toBe('1')
  leftMs = 60_000
  given.forget()
  await given.get()
  expect((await given.get()).accessKeyId).toBe('3')
})

test('credentials that are still good are used while nobody gives new ones', async () => {
  let asked = 0
  const credentials = async () => {
    if (asked++ > 0) throw new Error('the endpoint is out')
    return { accessKeyId: 'first', secretAccessKey: 's', expiresAt: Date.now() + 60_000 }
  }
  const given = source({}, { credentials })
  await given.get()
  expect((await given.get()).accessKeyId).toBe('first')
  expect(asked).toBe(2)
  given.forget()
  await expect(given.get()).rejects.toThrow('the endpoint is out')
})
