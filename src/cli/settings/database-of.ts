import { EncryptedBackend } from '../../backend/encrypted/encrypted-backend.ts'
import type { DatabaseSource } from '../../backend/sources.ts'
import { ValueCipher } from '../../core/encryption/value-cipher.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { databaseSourceOf } from '../../store/place-config.ts'
import { UsageError } from '../usage-error.ts'
import { DEFAULT_DATABASES, type Settings } from './settings.ts'

/** The database of a place, for a command that opens it alone. */
export function databaseOf(settings: Settings, place: DatabasePlace): DatabaseSource {
  const source = databaseSourceOf(place, settings[place] ?? DEFAULT_DATABASES[place])
  if (source !== undefined) {
    if (settings.encryption === undefined || place === 'primary') return source
    return new EncryptedBackend(source, new ValueCipher(settings.encryption), nodeEnv(), place)
  }
  throw new UsageError(`${place} is a StorageManager of the configuration: give a URL instead`)
}
