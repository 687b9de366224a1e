/** The two databases of a store. */
export type DatabasePlace = 'primary' | 'backup'

/** Everything that can hold a write. */
export type PlaceName = DatabasePlace | 'wal'

export const DATABASE_PLACES: readonly DatabasePlace[] = ['primary', 'backup']

/** The text with the name of its place in front, once: whoever raised an error may have named it already. */
export function namedOnce(place: PlaceName, text: string): string {
  const rest = withoutPlace(place, text)
  return new RegExp(`^(?:the )?${place}\\b`).test(rest) ? rest : `${place}: ${rest}`
}

/** The text without the name of its place in front. */
export function withoutPlace(place: PlaceName, text: string): string {
  return text.replace(new RegExp(`^${place}(?: database)?: `), '')
}
