/** SQL: the group (`../../key-group.ts`) of a key; NULL for one of another form. A migration has it: it is never changed. */
export function groupSql(key: string): string {
  const length = `pg_catalog."substring"(${key}, '^[^/:]*/([0-9]{1,4}):')::int`
  return `pg_catalog."left"(${key}, pg_catalog.strpos(${key}, ':') + ${length})`
}
