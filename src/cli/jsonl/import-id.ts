/*
 * Messages without an id of their own get one from their place in the file, so that an import can
 * be repeated: `import-<index>`, or `import-<index>-dated` when the message came with a `createdAt`.
 * The second form is how an export knows whether that time was in the file, or is only the time of
 * the import, which the file did not have.
 */
const PATTERN = /^import-(0|[1-9][0-9]*)(-dated)?$/

export interface ImportId {
  readonly index: number
  readonly dated: boolean
}

/** The id of the message that stands at this 0-based index of its line. */
export function importId({ index, dated }: ImportId): string {
  return `import-${index}${dated ? '-dated' : ''}`
}

/** Takes such an id apart; undefined for any other id. */
export function parseImportId(id: string): ImportId | undefined {
  const match = PATTERN.exec(id)
  if (match === null) return undefined
  const index = Number(match[1])
  return Number.isSafeInteger(index) ? { index, dated: match[2] !== undefined } : undefined
}
