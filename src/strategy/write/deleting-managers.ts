import type { StorageBackends, StorageManager } from '../../manager/storage-manager.ts'
import type { StoreManagers } from '../../manager/store-managers.ts'
import { rememberStore, storeOf } from '../store-calls.ts'

/**
 * The managers of a store as `execute` has them while a key is deleted: setting `undefined` in their databases and
 * caches deletes, so that a strategy that knows of nothing but setting deletes as well. Everywhere else it is
 * refused: a slip must not delete.
 */
export function deletingManagers(managers: StoreManagers): StoreManagers {
  const { primary, backup, cache } = managers
  const deleting = {
    primary: deletingManager(primary),
    ...(backup !== undefined && { backup: deletingManager(backup) }),
    ...(cache !== undefined && { cache: deletingManager(cache) }),
  }
  rememberStore(deleting, storeOf(managers))
  return deleting
}

function deletingManager(manager: StorageManager): StorageManager {
  const backends = deletingBackends(manager.getHandles())
  return replacing(manager, {
    connect: async () => {
      await manager.connect()
      return backends
    },
    getBackends: () => manager.getBackends() && backends,
    getHandles: () => backends,
  })
}

function deletingBackends({ database, cache }: StorageBackends): StorageBackends {
  return {
    database: replacing(database, {
      set: (key, value) => (value === undefined ? database.delete(key) : database.set(key, value)),
    }),
    cache: replacing(cache, {
      set: (key, value, ttlSeconds) =>
        value === undefined ? cache.delete(key) : cache.set(key, value, ttlSeconds),
    }),
  }
}

/** The object with some methods of its own replaced. */
function replacing<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(Object.hasOwn(methods, name) ? methods : target, name)
      if (typeof member !== 'function') return member
      return (member as (...args: unknown[]) => unknown).bind(target)
    },
  })
}
