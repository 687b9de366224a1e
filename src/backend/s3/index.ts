export { S3Backend } from './backend.ts'
export type { RequestCounts } from './protocol/client.ts'
export type { S3Credentials, S3Options } from './protocol/options.ts'
