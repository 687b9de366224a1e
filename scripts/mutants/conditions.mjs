// Mistakes about groups under conditions.

const STORE = 'test/store/conditional-writes.test.ts'
const EXPIRED = 'test/store/conditional-expiry.test.ts'
const ENGINES = ['src/backend/memory/memory-backend.test.ts', 'src/backend/sqlite/backend.test.ts']

export const CONDITION_MUTANTS = [
  {
    name: 'a group is applied whatever its conditions say',
    file: 'src/strategy/write/attempt.ts',
    edits: [['...(conditions !== undefined && { conditions }),', '']],
    simulate: {},
  },
  {
    name: 'a group with conditions goes to all places at once',
    file: 'src/strategy/write/next-step.ts',
    edits: [["(kind === 'ids' || kind === 'if')", "kind === 'ids'"]],
    simulate: {},
  },
  {
    name: 'the backup decides although the primary alone was to',
    file: 'src/strategy/write/attempt-state.ts',
    edits: [[" && guard?.decide !== 'primary'", '']],
    simulate: { faults: ['primary-down', 'primary-paused', 'partition'], faultEveryMs: 600 },
  },
  {
    name: 'the log is given what no database has judged',
    file: 'src/strategy/write/next-step.ts',
    edits: [["places.backup === 'failed' && kind === 'ids'", "places.backup === 'failed'"]],
    tests: [STORE],
  },
  {
    name: 'what is pending for the database that decides is not brought to it',
    file: 'src/strategy/write/bring-known.ts',
    edits: [['if (known.length === 0) return', 'if (known.length >= 0) return']],
    tests: [STORE],
  },
  {
    name: 'what another process wrote past the primary is not looked up',
    file: 'src/strategy/write/bring-known.ts',
    edits: [['return monitor.isPrimaryCurrent() && monitor.isTrusted()', 'return true']],
    tests: [STORE],
  },
  {
    name: 'a group whose answer was lost is judged by what it has done itself',
    file: 'src/core/conditions.ts',
    edits: [
      ['if (operations.some((operation) => isThere(operation, standing))) return undefined', ''],
    ],
    tests: [STORE, ...ENGINES],
  },
  {
    name: 'what one database has judged is judged by the other one again',
    file: 'src/strategy/write/attempt.ts',
    edits: [['this.#isDecided() ? undefined : guard?.conditions', 'guard?.conditions']],
    tests: [STORE],
  },
  {
    name: 'an upsert whose item moved meanwhile is a conflict of the caller',
    file: 'src/store/changes/conditional-writes.ts',
    edits: [
      ['error.failed.index >= conditions.length &&', 'error.failed.index > conditions.length &&'],
    ],
    tests: [STORE],
  },
  {
    name: 'PostgreSQL merges an id that had to be absent',
    file: 'src/backend/postgres/write/locked-batch.ts',
    edits: [['decide && (unique || conditions.length > 0)', 'decide && unique']],
    tests: ['test/integration/postgres-conformance.test.ts'],
  },
  {
    name: 'a group: who listens to writes hides that conditions are judged',
    file: 'src/strategy/write/announced.ts',
    edits: [['port.judgesConditions === true', 'false']],
    tests: [STORE],
  },
  {
    name: 'a group: what has expired stands in the way of who wants it absent',
    file: 'src/store/changes/conditional-writes.ts',
    edits: [
      [
        'wantedBy(anew[failed.index]!) === wantedBy(tried[failed.index]!)',
        'wantedBy(anew[failed.index]!) !== wantedBy(tried[failed.index]!)',
      ],
    ],
    tests: [EXPIRED],
  },
  {
    name: 'a group: behind the last item may stand one that has not expired',
    file: 'src/store/changes/expired-conditions.ts',
    edits: [['(shown?.position ?? null) === last ?', '(shown?.position ?? null) !== undefined ?']],
    tests: [EXPIRED],
  },
  {
    name: 'a group: an id that was removed is taken for free',
    file: 'src/store/changes/conditional-writes.ts',
    edits: [['unique: all.some(hasOwnId)', 'unique: false']],
    tests: [STORE],
  },
  {
    name: 'a group: the id of an item that has expired is looked for over and over',
    file: 'src/store/changes/conditional-writes.ts',
    edits: [["if (kind !== 'append' && this.#hasExpired(found)) throw expiredId(id)", '']],
    tests: [EXPIRED],
  },
  {
    name: 'a group: nothing is noted of what expires',
    file: 'src/store/changes/conditional-writes.ts',
    edits: [['return await write([...operations, ...notes])', 'return await write(operations)']],
    tests: [EXPIRED],
  },
  {
    name: 'a group: what judges one key a group is given no note of what expires',
    file: 'src/store/changes/conditional-writes.ts',
    edits: [['      await this.#values.write(this.#write, notes)\n', '']],
    tests: [EXPIRED],
  },
]
