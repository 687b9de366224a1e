/** Quoted, qualified names of the tables. */
export interface Tables {
  readonly schema: string
  readonly prefix: string
  readonly meta: string
  readonly keys: string
  readonly items: string
  readonly hints: string
  readonly hintCount: string
  readonly cursors: string
  readonly leases: string
  /** These three are there when an index of texts was asked for. */
  readonly search: string
  readonly searchMarks: string
  readonly searchState: string
}

/** The names are validated identifiers (`resolvePostgresOptions`): they need no escaping. */
export function tablesOf(schema: string, prefix: string): Tables {
  const name = (table: string): string => `"${schema}"."${prefix}${table}"`
  return {
    schema,
    prefix,
    meta: name('meta'),
    keys: name('keys'),
    items: name('items'),
    hints: name('hints'),
    hintCount: name('hint_count'),
    cursors: name('cursors'),
    leases: name('leases'),
    search: name('search'),
    searchMarks: name('search_marks'),
    searchState: name('search_state'),
  }
}

/** SQL: the identity of the database, as part of a statement. */
export function identitySql({ meta }: Tables): string {
  return `(SELECT value FROM ${meta} WHERE name = 'identity')`
}
