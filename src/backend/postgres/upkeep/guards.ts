/*
 * What notices that somebody else has removed rows, or set back what stands in them: triggers, which cost
 * nothing until then. The database gets a new identity in the same transaction, so nobody takes it for
 * complete before a full pass has compared it with the other one.
 */
import type { Tables } from '../rows/tables.ts'

/** SQL: another database from now on. */
export function renewIdentitySql({ meta }: Tables): string {
  return `INSERT INTO ${meta} VALUES ('identity',
      pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''))
    ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value`
}

/** The statements that make the triggers and their functions. */
export function guardTables(tables: Tables): readonly string[] {
  const { schema, prefix, meta, keys, items, hints, cursors, leases } = tables
  const name = (what: string): string => `"${schema}"."${prefix}${what}"`
  const trigger = (what: string, event: string, table: string, rest: string): readonly string[] => [
    `DROP TRIGGER IF EXISTS "${prefix}${what}" ON ${table}`,
    `CREATE TRIGGER "${prefix}${what}" AFTER ${event} ON ${table} ${rest}`,
  ]
  const lost = `EXECUTE FUNCTION ${name('lost')}()`
  const eachRow = `FOR EACH ROW ${lost}`
  return [
    // One new identity a transaction, however many rows are lost. Of the notes the others stay.
    functionSql(
      name('lost'),
      `IF TG_TABLE_NAME = '${prefix}meta' THEN
         IF OLD.name NOT IN ('identity', 'trusted') THEN
           INSERT INTO ${meta} VALUES (OLD.name, OLD.value) ON CONFLICT (name) DO NOTHING;
         END IF;
       END IF;
       IF pg_catalog.current_setting('everthread.lost', true)
           IS DISTINCT FROM '${schema}.${prefix} ' || pg_catalog.txid_current()::text THEN
         PERFORM pg_catalog.set_config('everthread.lost', '${schema}.${prefix} ' || pg_catalog.txid_current()::text, true);
         ${renewIdentitySql(tables)};
       END IF;`,
    ),
    // What a clear removes stands at or below it. Rows without a key have been lost with it.
    functionSql(
      name('lost_items'),
      `IF EXISTS (SELECT 1 FROM gone g JOIN ${keys} o ON o.key = g.key
           WHERE o.deleted_through IS NULL OR o.deleted_through < g.position) THEN
         ${renewIdentitySql(tables)};
       END IF;`,
    ),
    ...trigger(
      'items_lost',
      'DELETE',
      items,
      `REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION ${name('lost_items')}()`,
    ),
    ...trigger('keys_lost', 'DELETE', keys, eachRow),
    ...trigger(
      'keys_changed',
      'UPDATE OF key, deleted_through, register_stamp',
      keys,
      `FOR EACH ROW WHEN (${CHANGED}) ${lost}`,
    ),
    // A hint that we remove has the count 0 by then.
    ...trigger('hints_lost', 'DELETE', hints, `FOR EACH ROW WHEN (OLD.count <> 0::bigint) ${lost}`),
    ...trigger('cursors_lost', 'DELETE', cursors, eachRow),
    ...trigger('leases_lost', 'DELETE', leases, eachRow),
    ...trigger('meta_lost', 'DELETE', meta, eachRow),
    ...[keys, items, hints, cursors, leases].flatMap((table) =>
      trigger('emptied', 'TRUNCATE', table, lost),
    ),
  ]
}

/** SQL: a key has another name, or what stands in it was set back, or without its digest. */
const CHANGED = `OLD.key <> NEW.key
  OR OLD.deleted_through > NEW.deleted_through
  OR (OLD.deleted_through IS NOT NULL AND NEW.deleted_through IS NULL)
  OR (OLD.deleted_through IS DISTINCT FROM NEW.deleted_through
    AND OLD.deleted_digest IS NOT DISTINCT FROM NEW.deleted_digest)
  OR (OLD.register_stamp IS DISTINCT FROM NEW.register_stamp
    AND OLD.register_digest IS NOT DISTINCT FROM NEW.register_digest)
  OR (OLD.register_stamp IS NOT NULL
    AND (NEW.register_stamp IS NULL OR NEW.register_stamp < OLD.register_stamp)
    AND (NEW.deleted_through IS NULL OR NEW.deleted_through < OLD.register_stamp))`

function functionSql(name: string, body: string): string {
  return `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog AS $$ BEGIN ${body} RETURN NULL; END $$`
}
