import { checkDatabaseSource } from '../../backend/check-source.ts'
import { isDatabaseBackend, isReplicaBackend } from '../../backend/sources.ts'
import { resolveRedisOptions } from '../../backend/redis/connection/options.ts'
import type { Env } from '../../core/env.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { databaseSourceOf, type PlaceConfig } from '../../store/place-config.ts'
import type { Findings } from './finding.ts'
import { examinePostgres } from './examine-postgres.ts'
import { examineRedis } from './examine-redis.ts'
import { examineS3 } from './examine-s3.ts'
import { examineSqlite } from './examine-sqlite.ts'
import type { Located } from './located.ts'

/** The database of a place. Nothing is made, changed or brought up to date. */
export async function examineDatabase(
  env: Env,
  place: DatabasePlace,
  given: PlaceConfig,
  found: Findings,
): Promise<Located | undefined> {
  const source = databaseSourceOf(place, given)
  const config = source === undefined ? undefined : checkDatabaseSource(source, place)
  if (config === undefined || isReplicaBackend(config) || isDatabaseBackend(config)) {
    found.note('not-examined', 'it is an object of the configuration, which only it knows')
    return undefined
  }
  switch (config.type) {
    case 'postgresql':
    case 'postgres':
      return await examinePostgres(env, config, found)
    case 'sqlite':
      return await examineSqlite(config, found)
    case 'redis':
      return await examineRedis(env, resolveRedisOptions(config).connection, 'database', found)
    case 's3':
      return await examineS3(env, config, found)
    case 'in-memory':
      found.warn('not-durable', 'it is kept in the memory of one process', 'for tests only')
      return undefined
  }
}
