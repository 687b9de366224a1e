/*
 * What notices that somebody else has removed rows, or set back what stands in them: triggers, which cost
 * nothing until then. The database gets a new identity in the same transaction, so nobody takes it for
 * complete before a full pass has compared it with the other one.
 */

/** SQL: another database from now on. */
export const RENEW_IDENTITY = 'UPDATE everthread_meta SET identity = lower(hex(randomblob(16)))'

/** Each statement does nothing where its trigger is there. */
export const GUARDS: readonly string[] = [
  guard('keys_lost', 'DELETE ON everthread_keys', 'true'),
  guard(
    'keys_changed',
    'UPDATE OF key_id, key, deleted_through, register_stamp ON everthread_keys',
    `OLD.key_id <> NEW.key_id OR OLD.key <> NEW.key
      OR OLD.deleted_through > coalesce(NEW.deleted_through, x'')
      OR (OLD.deleted_through IS NOT NEW.deleted_through
        AND OLD.deleted_digest IS NEW.deleted_digest)
      OR (OLD.register_stamp IS NOT NEW.register_stamp
        AND OLD.register_digest IS NEW.register_digest)
      OR (OLD.register_stamp > coalesce(NEW.register_stamp, x'')
        AND OLD.register_stamp > coalesce(NEW.deleted_through, x''))`,
  ),
  // What a clear removes stands at or below it. Rows without a key have been lost with it.
  guard(
    'items_lost',
    'DELETE ON everthread_items',
    `EXISTS (SELECT 1 FROM everthread_keys WHERE key_id = OLD.key_id
      AND (deleted_through IS NULL OR deleted_through < OLD.position))`,
  ),
  // A hint that we remove has the count 0 by then.
  guard('hints_lost', 'DELETE ON everthread_hints', 'OLD.count <> 0'),
  guard('cursors_lost', 'DELETE ON everthread_cursors', 'true'),
  guard('leases_lost', 'DELETE ON everthread_leases', 'true'),
  trigger(
    'meta_lost',
    'DELETE ON everthread_meta',
    'true',
    `INSERT INTO everthread_meta (id, identity, head, hint_count)
      VALUES (1, lower(hex(randomblob(16))), OLD.head, OLD.hint_count + 1)`,
  ),
]

function guard(name: string, event: string, condition: string): string {
  return trigger(name, event, condition, RENEW_IDENTITY)
}

function trigger(name: string, event: string, condition: string, action: string): string {
  return `
  CREATE TRIGGER IF NOT EXISTS everthread_${name} AFTER ${event}
    WHEN ${condition} BEGIN ${action}; END;`
}
