// Mistakes about groups under conditions.

const STORE = 'test/store/conditional-writes.test.ts'
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
]
