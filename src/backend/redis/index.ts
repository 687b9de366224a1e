export { RedisDatabaseBackend } from './backend.ts'
export type { GivenClient } from './given-client.ts'
export type { RedisAddress, RedisConnectionOptions, RedisOptions, RedisTls } from './options.ts'
export type { RedisServerInfo } from './server-info.ts'
