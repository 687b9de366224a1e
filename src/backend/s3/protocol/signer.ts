import { exportsOf, installedDriver } from '../../import-driver.ts'
import type { S3Credentials } from './options.ts'

export interface RequestToSign {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly region: string
  readonly credentials: S3Credentials
  /** When it counts as signed. Unix milliseconds. */
  readonly signedAtMs: number
}

/** The headers of a request with its signature (AWS Signature Version 4). */
export type Sign = (request: RequestToSign) => Promise<Headers>

/** The part of `aws4fetch` that is used: it signs, the requests are sent by `S3Client`. */
interface SignerPackage {
  readonly AwsV4Signer: new (request: object) => { sign(): Promise<{ headers: Headers }> }
}

/** Loads the package that signs. */
export async function loadSigner(): Promise<Sign> {
  const { AwsV4Signer } = await loadPackage()
  return async ({ credentials, signedAtMs, ...request }) => {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials
    const signer = new AwsV4Signer({
      ...request,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
      service: 's3',
      datetime: new Date(signedAtMs).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    })
    return (await signer.sign()).headers
  }
}

async function loadPackage(): Promise<SignerPackage> {
  try {
    return exportsOf<SignerPackage>(await import('aws4fetch'))
  } catch (error) {
    return installedDriver<SignerPackage>('S3', 'aws4fetch', error)
  }
}
