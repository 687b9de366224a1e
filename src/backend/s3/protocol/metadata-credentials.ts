import { readFile } from 'node:fs/promises'
import { StorageError } from '../../../core/errors.ts'
import { parseJson } from '../../../core/json.ts'
import type { S3Credentials } from './options.ts'

const CONTAINER_HOST = 'http://169.254.170.2'
const INSTANCE_HOST = 'http://169.254.169.254'
/** Both are on this machine or beside it; off AWS nobody answers. Milliseconds. */
const TIMEOUT_MS = 1_000

/** Those of the container (ECS, EKS pod identity), if the environment names its endpoint. */
export async function containerCredentials(
  environment: NodeJS.ProcessEnv,
): Promise<S3Credentials | undefined> {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  const full = environment['AWS_CONTAINER_CREDENTIALS_FULL_URI']
  const url = relative === undefined ? full : `${CONTAINER_HOST}${relative}`
  if (url === undefined) return undefined
  const tokenFile = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
  const token =
    tokenFile === undefined
      ? environment['AWS_CONTAINER_AUTHORIZATION_TOKEN']
      : (await readFile(tokenFile, 'utf8')).trim()
  const answer = await ask(url, token === undefined ? {} : { authorization: token })
  return credentialsOf(parseJson(await answer.text()))
}

/** Those of the instance's role (IMDSv2); undefined where there is no such endpoint. */
export async function instanceCredentials(
  environment: NodeJS.ProcessEnv,
): Promise<S3Credentials | undefined> {
  if (environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') return undefined
  const host = environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? INSTANCE_HOST
  let token: string
  try {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' }
    token = await (await ask(`${host}/latest/api/token`, headers, 'PUT')).text()
  } catch {
    // Not an instance of AWS, which is no fault: the chain has ended, and says so.
    return undefined
  }
  const headers = { 'x-aws-ec2-metadata-token': token }
  const roles = `${host}/latest/meta-data/iam/security-credentials/`
  const role = (await (await ask(roles, headers)).text()).split('\n', 1)[0]!.trim()
  return credentialsOf(parseJson(await (await ask(`${roles}${role}`, headers)).text()))
}

async function ask(
  url: string,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
): Promise<Response> {
  const answer = await fetch(url, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (answer.ok) return answer
  await answer.body?.cancel()
  throw new StorageError('UNAVAILABLE', `S3: credentials: ${url} answered ${answer.status}`)
}

function credentialsOf(answer: unknown): S3Credentials {
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = answer as Record<string, unknown>
  if (typeof AccessKeyId !== 'string' || typeof SecretAccessKey !== 'string') {
    throw new StorageError('UNAVAILABLE', 'S3: the metadata endpoint gave no credentials')
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(typeof Token === 'string' && { sessionToken: Token }),
    ...(typeof Expiration === 'string' && { expiresAt: Date.parse(Expiration) }),
  }
}
