// Mistakes about records of conversations and the lists of owners.

const RECORDS = ['src/chat/records/conversation-records.test.ts']
const STORES = ['test/store/conversation-records.test.ts']
const SIMULATED = { engine: 'simulation', faults: 'some' }

export const RECORD_MUTANTS = [
  {
    name: 'an entry of a list counts whatever its record says',
    file: 'src/chat/records/rows-of-list.ts',
    edits: [['if (isNamed) yield', 'if (isNamed || true) yield']],
    tests: STORES,
  },
  {
    name: 'a conversation is not moved when it is not at the end of its list',
    file: 'src/chat/records/activity.ts',
    edits: [['if (end?.id === owner.entry &&', 'if (end !== undefined &&']],
    tests: RECORDS,
  },
  {
    name: 'a conversation is moved with each save',
    file: 'src/chat/records/activity.ts',
    edits: [['if (end?.id === owner.entry &&', 'if (end?.id === tenant &&']],
    tests: STORES,
  },
  {
    name: 'a tenant without records is looked up with each save',
    file: 'src/chat/records/activity.ts',
    edits: [['return ageMs >= 0 && ageMs < NONE_MS', 'return ageMs >= NONE_MS && ageMs < NONE_MS']],
    tests: STORES,
  },
  {
    name: 'a deleted conversation keeps its record',
    file: 'src/chat/records/conversation-records.ts',
    edits: [['[chat, key, ...beside].map', '[chat, ...beside].map']],
    programs: SIMULATED,
  },
  {
    name: 'what is left of an earlier record is shown in a new one',
    file: 'src/chat/records/record.ts',
    edits: [['if (created === undefined) return undefined', 'created ??= { at: "", entry: "" }']],
    tests: RECORDS,
  },
  {
    name: 'a new owner has the conversation, and so has the one before',
    file: 'src/chat/records/conversation-records.ts',
    edits: [['if (before !== undefined) changes.push(...this.#leave(before))', '']],
    tests: RECORDS,
  },
  {
    name: 'an update of a title is not written',
    file: 'src/chat/records/conversation-records.ts',
    edits: [['if (title !== undefined) changes.push(', 'if (title === null) changes.push(']],
    programs: SIMULATED,
  },
  {
    name: 'imported messages stand at the time of the import',
    file: 'src/store/lists.ts',
    edits: [['const position = given ?? clock.tick(key)', 'const position = clock.tick(key)']],
    tests: RECORDS,
  },
  {
    name: 'an update with ifStamp is merged with whatever stands',
    file: 'src/chat/records/conversation-records.ts',
    edits: [
      [
        'if (ifStamp === undefined) return undefined',
        'if (ifStamp === undefined || key) return undefined',
      ],
    ],
    tests: RECORDS,
  },
  {
    name: 'an erase leaves the record',
    file: 'src/store/erase/erasure-record.ts',
    edits: [["scope === 'key' ? [target, ...also] : []", "scope === 'key' ? [target] : []"]],
    tests: RECORDS,
  },
  {
    name: 'two that create a conversation at once both do',
    file: 'src/chat/records/conversation-records.ts',
    edits: [['const outcome = isNew\n', 'const outcome = isNew && isListed\n']],
    tests: ['test/store/branch-seams.test.ts'],
  },
  {
    name: 'the latest conversations of a tenant are looked for among those of all tenants',
    file: 'src/backend/sqlite/rows/key-group.ts',
    edits: [['return rest.length < length ? undefined', 'return rest.length >= 0 ? undefined']],
    tests: ['src/backend/sqlite/plan.test.ts'],
  },
]
