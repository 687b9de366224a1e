/** The two databases of a store. */
export type DatabasePlace = 'primary' | 'backup'

/** Everything that can hold a write. */
export type PlaceName = DatabasePlace | 'wal'

export const DATABASE_PLACES: readonly DatabasePlace[] = ['primary', 'backup']
