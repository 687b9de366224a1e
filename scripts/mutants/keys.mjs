// Mistakes in calls about many keys, in what expires, and in leases. The fields are those of `list.mjs`.

const MANY = ['test/store/many-keys.test.ts']
const EXPIRY = ['test/store/expiry.test.ts']
const LEASES = ['test/store/leases.test.ts']

export const KEY_MUTANTS = [
  {
    name: 'many keys are read without what is pending for them',
    file: 'src/strategy/read/merged-keys.ts',
    edits: [['tails.get(key) ?? [],', '[],']],
    tests: MANY,
  },
  {
    name: 'keys that a place lacks are not sought further when many are read',
    file: 'src/strategy/read/selecting-read-strategy.ts',
    edits: [
      [
        'if (this.resolved.treatEmptyAsFailure) {',
        'if (this.resolved.treatEmptyAsFailure && keys.length === 0) {',
      ],
    ],
    tests: MANY,
  },
  {
    name: 'deletePrefix says that it is done when it has had its fill',
    file: 'src/store/bulk/bulk-calls.ts',
    edits: [['return { deleted, done: false }', 'return { deleted, done: complete }']],
    tests: MANY,
  },
  {
    name: 'a value that has expired is read',
    file: 'src/store/expiry/expiring-text.ts',
    edits: [['expiresAt <= nowMs', 'expiresAt < nowMs - 1_000']],
    tests: [...EXPIRY, 'src/store/expiry/expiring-text.test.ts'],
  },
  {
    name: 'a page of a list with expired items is shorter than it was asked for',
    file: 'src/store/expiry/live-reads.ts',
    edits: [
      [
        'while (!done && items.length < query.limit && edge',
        'while (!done && items.length < 0 && edge',
      ],
    ],
    tests: EXPIRY,
  },
  {
    name: 'a count has items that have expired',
    file: 'src/store/expiry/live-reads.ts',
    edits: [['if (mark.register === undefined) {', 'if (mark.complete) {']],
    tests: EXPIRY,
  },
  {
    name: 'a list of keys has those whose value has expired',
    file: 'src/store/expiry/live-reads.ts',
    edits: [['marked.has(key) ? await this.#isLive(context, key) : true', 'true']],
    tests: EXPIRY,
  },
  {
    name: 'the pass removes a value that was set anew',
    file: 'src/store/expiry/expiry-pass.ts',
    edits: [
      [
        "operations.push({ kind: 'delete', key, stamp: register.stamp })",
        "operations.push({ kind: 'delete', key, stamp: context.clock.tick(key) })",
      ],
    ],
    tests: EXPIRY,
  },
  {
    name: 'the pass takes a list along with the value of its key',
    file: 'src/store/expiry/expiry-pass.ts',
    edits: [
      ['complete ? items.length === 0 : undefined', 'complete ? items.length >= 0 : undefined'],
    ],
    tests: EXPIRY,
  },
  {
    name: 'the pass removes an item that was edited since',
    file: 'src/store/expiry/expiry-pass.ts',
    edits: [
      [
        "return !isRemoved(item) && isExpired(itemValue(item) ?? '', nowMs)",
        "return !isRemoved(item) && isExpired(item.appended ?? '', nowMs)",
      ],
    ],
    tests: EXPIRY,
  },
  {
    name: 'the mark of a key goes while something else of it expires',
    file: 'src/store/expiry/expiry-pass.ts',
    edits: [['stamp: mark.register.stamp })', 'stamp: context.clock.tick(markKey(key)) })']],
    tests: EXPIRY,
  },
  {
    name: 'two leases of one process are the same holder',
    file: 'src/store/key-lease.ts',
    edits: [['/${++this.#count}`', '/${this.#count}`']],
    tests: LEASES,
  },
  {
    name: 'an expired value: what could not be looked at is worked off',
    file: 'src/store/expiry/expiry-pass.ts',
    edits: [['if (isAlone === undefined) return false', '']],
    tests: EXPIRY,
  },
  {
    name: 'a lease: one that was given back is extended',
    file: 'src/store/key-lease.ts',
    edits: [['if (isReleased) return false', '']],
    tests: LEASES,
  },
  {
    name: 'a lease: what extends it may come after what gives it back',
    file: 'src/store/key-lease.ts',
    edits: [['await Promise.allSettled(extending)', '']],
    tests: LEASES,
  },
  {
    name: 'a lease is asked for where the primary is out, and its absence taken for an answer',
    file: 'src/store/key-lease.ts',
    edits: [['if (!primary.isUp()) throw out()', 'if (!primary.isUp()) return undefined']],
    tests: LEASES,
  },
  {
    name: 'leases of the store itself are removed with unused ones',
    file: 'src/backend/postgres/upkeep/leases.ts',
    edits: [
      [
        "AND pg_catalog.left(l.name, 4) IN ('${USER_LEASE}/', '${USER_LEASE}#')",
        "AND l.name <> ''",
      ],
    ],
    tests: LEASES,
  },
  {
    name: 'saving over what stands appends it again after a later error',
    file: 'src/chat/save-messages.ts',
    edits: [['id === undefined || !standing.has(id))', 'id === undefined || standing.size >= 0)']],
    tests: ['test/store/save-messages.test.ts'],
  },
]
