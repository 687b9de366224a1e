export { RedisDatabaseBackend } from './backend.ts'
export { RedisCacheBackend, type RedisCacheOptions } from './cache.ts'
export type { GivenClient } from './connection/given-client.ts'
export type {
  RedisAddress,
  RedisConnectionOptions,
  RedisOptions,
  RedisTls,
} from './connection/options.ts'
export type { RedisServerInfo } from './connection/server-info.ts'
export type { IoredisClient, NodeRedisClient } from './connection/given-client.ts'
