import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'
import { withDeadline } from '../../../core/time.ts'
import { containerCredentials, instanceCredentials } from './metadata-credentials.ts'
import type { ResolvedS3Options, S3Credentials } from './options.ts'
import { sharedFileCredentials } from './shared-files.ts'

/** New credentials are asked for this long before the old ones end. Milliseconds. */
const RENEW_BEFORE_MS = 5 * 60_000
/** Whoever does not give them within this time is asked again by the next call. Milliseconds. */
const ASK_MS_MAX = 15_000

/** Gives the credentials of the moment, from the options or the standard chain. */
export class CredentialSource {
  readonly #env: Env
  readonly #options: Pick<ResolvedS3Options, 'credentials' | 'profile'>
  readonly #environment: NodeJS.ProcessEnv
  #current: S3Credentials | undefined
  #asking: Promise<S3Credentials> | undefined

  constructor(
    env: Env,
    options: Pick<ResolvedS3Options, 'credentials' | 'profile'>,
    environment: NodeJS.ProcessEnv = process.env,
  ) {
    this.#env = env
    this.#options = options
    this.#environment = environment
  }

  async get(): Promise<S3Credentials> {
    const { expiresAt = Infinity } = this.#current ?? {}
    if (this.#current !== undefined && this.#env.now() < expiresAt - RENEW_BEFORE_MS) {
      return this.#current
    }
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))
    try {
      return await this.#asking
    } catch (error) {
      // They were asked for early: until they end there is time to ask again.
      if (this.#current !== undefined && this.#env.now() < expiresAt) return this.#current
      throw error
    }
  }

  /** The server refused them: the next call asks again. */
  forget(): void {
    this.#current = undefined
  }

  async #ask(): Promise<S3Credentials> {
    const context = { effect: 'none' } as const
    const found = withDeadline(this.#env, ASK_MS_MAX, 'S3: credentials', this.#find(), context)
    this.#current = checked(await found)
    return this.#current
  }

  async #find(): Promise<S3Credentials | undefined> {
    const { credentials, profile } = this.#options
    const environment = this.#environment
    if (typeof credentials === 'function') return await credentials()
    if (credentials !== undefined) return credentials
    // A profile that is named is meant, whatever else there is.
    const fromEnvironment = profile === undefined ? environmentCredentials(environment) : undefined
    return (
      fromEnvironment ??
      (await sharedFileCredentials(profile, environment)) ??
      (await containerCredentials(environment)) ??
      (await instanceCredentials(environment))
    )
  }
}

function environmentCredentials(environment: NodeJS.ProcessEnv): S3Credentials | undefined {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID']
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY']
  const sessionToken = environment['AWS_SESSION_TOKEN']
  if (!accessKeyId || !secretAccessKey) return undefined
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
}

function checked(credentials: S3Credentials | undefined): S3Credentials {
  if (credentials === undefined) {
    throw new StorageError(
      'UNAVAILABLE',
      'S3: no credentials: none in the options, the environment, the shared files or a metadata endpoint',
    )
  }
  const { accessKeyId, secretAccessKey } = credentials
  if (
    typeof accessKeyId === 'string' &&
    accessKeyId !== '' &&
    typeof secretAccessKey === 'string'
  ) {
    return credentials
  }
  throw new StorageError('UNAVAILABLE', 'S3: credentials must have accessKeyId and secretAccessKey')
}
