export { S3Backend } from './backend.ts'
export type { RequestCounts } from './client.ts'
export type { S3Credentials, S3Options } from './options.ts'
