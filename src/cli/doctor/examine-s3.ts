import { IDENTITY_NAME } from '../../backend/s3/key/layout.ts'
import { S3Client } from '../../backend/s3/protocol/client.ts'
import { resolveS3Options, type S3Options } from '../../backend/s3/protocol/options.ts'
import type { Env } from '../../core/env.ts'
import { examineClock, examineTls } from './examine-hosts.ts'
import type { Findings } from './finding.ts'
import type { Located } from './located.ts'

/** The server tells its clock in whole seconds. */
const WHOLE_SECOND_MS = 1_000

/** A bucket. Reads one object; nothing is written. */
export async function examineS3(env: Env, config: S3Options, found: Findings): Promise<Located> {
  const options = resolveS3Options(config)
  const { protocol, hostname } = new URL(options.bucketUrl)
  examineTls([hostname], protocol === 'http:' ? false : {}, 'give the endpoint as https://', found)
  const client = new S3Client(env, options)
  const call = { signal: AbortSignal.timeout(options.callTimeoutMs) }
  const standing = await client.get(IDENTITY_NAME, call)
  found.ok('connected', `S3, ${options.bucketUrl}/${options.root}`)
  await examineClock(async () => client.serverNow(), found, WHOLE_SECOND_MS)
  if (standing === undefined) found.note('new', 'nothing is stored there yet')
  if (options.durable) found.ok('durable', 'S3 acknowledges what it has stored redundantly')
  else found.warn('not-durable', 'its configuration says so (durable: false)', 'use a real S3')
  return {
    disk: undefined,
    server: undefined,
    database: `${options.bucketUrl}/${options.root}`,
    isDurable: options.durable,
  }
}
