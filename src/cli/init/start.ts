import type { GivenSettings } from '../settings/resolve-settings.ts'
import { DEFAULT_DATABASES, DEFAULT_WAL } from '../settings/settings.ts'

/** What a new configuration has when nobody says otherwise: the defaults of the library, written down. */
export const START: GivenSettings = {
  ...DEFAULT_DATABASES,
  wal: DEFAULT_WAL,
}
