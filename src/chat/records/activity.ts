/*
 * Keeps the lists of owners' conversations in the order of activity while messages are saved.
 *
 * Beside a save it is looked up whose the conversation is, and which one is at the end of the owner's list: if
 * it is another one, this one is moved there. So the order is that of the latest messages, though most saves of
 * a conversation move nothing. One that stays at the end for long is moved once in STAYS_MS all the same, since
 * imported conversations are put into the list at times that have passed.
 *
 * A tenant without records costs its saves nothing but one look in NONE_MS. A save waits at most WAIT_MS for all
 * this, and not at all while no database is well.
 */
import { remember } from '../../core/lru.ts'
import type { Item } from '../../core/merge.ts'
import { stampMs } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { activeKey, createdKey, recordKey } from '../keys.ts'
import { recordOf, type Owner } from './record.ts'

/** How long it is believed that a tenant has no records. Milliseconds. */
const NONE_MS = 5_000
/** How far the end of a list may lie behind the latest message of its conversation. Milliseconds. */
const STAYS_MS = 60_000
/** How long a save waits. Milliseconds. */
const WAIT_MS = 1_000
/** Tenants and owners that are remembered; the one that was looked up first is forgotten first. */
const TENANTS_MAX = 10_000
const OWNERS_MAX = 50_000

/** One for each store: histories of all its tenants share it. */
const byStore = new WeakMap<StrategicStorageManager, Activity>()

export class Activity {
  readonly #store: StrategicStorageManager
  /** Tenants without records by when that was looked up; Infinity: it has some. */
  readonly #tenants = new Map<string, number>()
  /** Tenants that are being looked up. */
  readonly #lookups = new Map<string, Promise<boolean>>()
  /** By the record's key, as they were last: what to look at beside the record. */
  readonly #owners = new Map<string, Owner>()

  private constructor(store: StrategicStorageManager) {
    this.#store = store
  }

  static of(store: StrategicStorageManager): Activity {
    let activity = byStore.get(store)
    if (activity === undefined) byStore.set(store, (activity = new Activity(store)))
    return activity
  }

  /** Called when a save begins; what it returns is awaited before the save is acknowledged. */
  saving(tenant: string, conversationId: string): Promise<void> | undefined {
    if (this.#hasNone(tenant)) return undefined
    // A place that is out is told of elsewhere; the next save tries again.
    const moved = this.#follow(tenant, conversationId).catch(() => {})
    return this.#patiently(moved)
  }

  /** The tenant has a record from now on. */
  wrote(tenant: string): void {
    remember(this.#tenants, tenant, Infinity, TENANTS_MAX)
  }

  /** The latest message that was just saved with a time of its own has this one. Unix milliseconds. */
  async placed(tenant: string, conversationId: string, ms: number): Promise<void> {
    if (this.#hasNone(tenant) || !(await this.#hasRecords(tenant))) return
    const owner = await this.#ownerOf(recordKey(tenant, conversationId))
    if (owner === undefined) return
    const { changes } = this.#store
    const key = activeKey(tenant, owner.name)
    const value = { conversation: conversationId }
    await changes.place([{ key, id: owner.entry, value, position: changes.stampAt(ms) }])
  }

  #hasNone(tenant: string): boolean {
    const ageMs = this.#store.now() - (this.#tenants.get(tenant) ?? -Infinity)
    // A clock that was set back has forgotten.
    return ageMs >= 0 && ageMs < NONE_MS
  }

  async #follow(tenant: string, conversationId: string): Promise<void> {
    if (!(await this.#hasRecords(tenant))) return
    const key = recordKey(tenant, conversationId)
    const before = this.#owners.get(key)
    const [owner, seen] = await Promise.all([
      this.#ownerOf(key),
      before && this.#endOf(tenant, before),
    ])
    if (owner === undefined) return
    const end = owner.entry === before?.entry ? seen : await this.#endOf(tenant, owner)
    if (end?.id === owner.entry && this.#store.now() - stampMs(end.position) < STAYS_MS) return
    const list = activeKey(tenant, owner.name)
    const value = { conversation: conversationId }
    await this.#store.changes.write([{ kind: 'put', key: list, id: owner.entry, value }])
  }

  /** Asked once, however many saves want to know. */
  async #hasRecords(tenant: string): Promise<boolean> {
    if (this.#tenants.get(tenant) === Infinity) return true
    let lookup = this.#lookups.get(tenant)
    if (lookup === undefined) {
      lookup = this.#lookUp(tenant).finally(() => this.#lookups.delete(tenant))
      this.#lookups.set(tenant, lookup)
    }
    return await lookup
  }

  async #lookUp(tenant: string): Promise<boolean> {
    const now = this.#store.now()
    let hasRecords = false
    try {
      const query = { key: createdKey(tenant), limit: 1, order: 'newest' } as const
      hasRecords = (await this.#store.readItems(query)).items.length > 0
    } finally {
      // Nor is it asked again with each save while nobody answers.
      if (hasRecords) this.wrote(tenant)
      else if (this.#tenants.get(tenant) !== Infinity) {
        remember(this.#tenants, tenant, now, TENANTS_MAX)
      }
    }
    return hasRecords
  }

  async #ownerOf(key: string): Promise<Owner | undefined> {
    const { items } = await this.#store.readItemsById(key, ['created', 'owner'])
    const owner = recordOf(items)?.owner
    if (owner === undefined) this.#owners.delete(key)
    else remember(this.#owners, key, owner, OWNERS_MAX)
    return owner
  }

  async #endOf(tenant: string, { name }: Owner): Promise<Item | undefined> {
    const query = { key: activeKey(tenant, name), limit: 1, order: 'newest' } as const
    return (await this.#store.readItems(query)).items[0]
  }

  async #patiently(moved: Promise<void>): Promise<void> {
    const { primary, backup } = this.#store.getHealthStatus().backends
    if (!primary.healthy && !backup.healthy) return
    const patience = new AbortController()
    await Promise.race([moved, this.#store.pause(WAIT_MS, patience.signal)])
    patience.abort()
  }
}
