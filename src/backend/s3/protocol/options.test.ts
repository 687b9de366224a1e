import { expect, test } from 'vitest'
import { resolveS3Options, type S3Options } from './options.ts'

test.each<[S3Options, NodeJS.ProcessEnv, object]>([
  [
    { url: 's3://bucket/a/b?region=eu-central-1' },
    {},
    { bucketUrl: 'https://bucket.s3.eu-central-1.amazonaws.com', root: 'a/b/' },
  ],
  [{ bucket: 'bucket' }, { AWS_REGION: 'eu-west-1' }, { region: 'eu-west-1', root: 'everthread/' }],
  [
    { url: 's3://bucket?endpoint=http://127.0.0.1:9000' },
    {},
    { bucketUrl: 'http://127.0.0.1:9000/bucket' },
  ],
  [
    { bucket: 'bucket', endpoint: 'https://a.example/base/', pathStyle: false },
    {},
    { bucketUrl: 'https://bucket.a.example/base' },
  ],
  [
    { bucket: 'with.dots' },
    { AWS_ENDPOINT_URL: 'https://ignored.example', AWS_ENDPOINT_URL_S3: 'https://s3.example' },
    { bucketUrl: 'https://s3.example/with.dots' },
  ],
  [{ url: 's3://bucket/a', bucket: 'other', prefix: '' }, {}, { bucket: 'other', root: '' }],
])('%j is understood', (options, environment, expected) => {
  expect(resolveS3Options(options, environment)).toMatchObject(expected)
})

test.each<[unknown, string]>([
  [{}, 'bucket must be'],
  [{ bucket: 'a' }, 'bucket must be'],
  [{ url: 'https://bucket' }, 'url must be s3://'],
  [{ url: 's3://key:secret@bucket' }, 'url must have no credentials'],
  [{ url: 's3://bucket?secretAccessKey=hidden' }, 'url.secretAccessKey is not known'],
  [{ url: 's3://bucket?pathStyle=1' }, 'url.pathStyle must be boolean'],
  [{ bucket: 'bucket', prefix: '../x' }, 'prefix must be'],
  [{ bucket: 'bucket', prefix: 'a//b' }, 'prefix must be'],
  [{ bucket: 'bucket', endpoint: 'minio:9000' }, 'endpoint must be'],
  [{ bucket: 'bucket', endpoint: 'https://a:b@minio' }, 'endpoint must be'],
  [{ bucket: 'bucket', region: 'eu west' }, 'region must be'],
  [{ bucket: 'bucket', multipartBytes: 1 }, 'multipartBytes must be'],
  [{ bucket: 'bucket', retriesMax: -1 }, 'retriesMax must be'],
])('%j is refused, and no secret is quoted', (options, message) => {
  const resolve = () => resolveS3Options(options as S3Options, {})
  expect(resolve).toThrow(message)
  expect(resolve).not.toThrow('hidden')
})

test('a bad variable of the environment is refused by its name, unless an option wins over it', () => {
  const bucket = 'bucket'
  const refused = (variables: Record<string, string>) => () =>
    resolveS3Options({ bucket }, variables)
  expect(refused({ AWS_REGION: 'eu west' })).toThrow(/^AWS_REGION must be/)
  expect(refused({ AWS_ENDPOINT_URL: 'https://a:hidden@b' })).toThrow(/^AWS_ENDPOINT_URL must be/)
  expect(refused({ AWS_ENDPOINT_URL: 'https://a:hidden@b' })).not.toThrow('hidden')
  expect(resolveS3Options({ bucket, region: 'a' }, { AWS_REGION: 'eu west' }).region).toBe('a')
  expect(resolveS3Options({ bucket }, { AWS_REGION: '' }).region).toBe('us-east-1')
})
