// Mistakes in searches and in what keeps an index up. The fields are those of `list.mjs`.

const STORE = ['test/store/search.test.ts']
const WORDS = ['src/core/search/search.test.ts']
const ENGINES = ['src/backend/sqlite/backend.test.ts']
const POSTGRES = ['test/integration/postgres-search.test.ts']

export const SEARCH_MUTANTS = [
  {
    name: 'a search shows what the database has, whatever is pending for it',
    file: 'src/strategy/read/merged-search.ts',
    edits: [
      [
        'if (this.#sources.length > 1 || this.#pendingKeys.has(key)) return false',
        'if (this.#sources.length > 1) return false',
      ],
    ],
    tests: STORE,
  },
  {
    name: 'a search does not look through what is pending',
    file: 'src/strategy/read/merged-search.ts',
    edits: [['if (this.#mayMatch(operation)) ids.add(operation.id)', 'void operation']],
    tests: STORE,
  },
  {
    name: 'a search shows what only has the numbers of the words',
    file: 'src/strategy/read/merged-search.ts',
    edits: [
      ['&& isMatch(indexed.texts, terms)', '&& (terms.all.length > 0 || isMatch([], terms))'],
    ],
    tests: STORE,
  },
  {
    name: 'a search goes on behind what it has shown, and not where all sources are whole',
    file: 'src/strategy/read/merged-search.ts',
    edits: [['if (edge === undefined || position >= edge) found.push(one)', 'found.push(one)']],
    tests: ['src/strategy/read/merged-search.test.ts'],
  },
  {
    name: 'a search of one of two places calls itself complete',
    file: 'src/strategy/read/selecting-read-strategy.ts',
    edits: [['return { ...rest, complete: complete && isWhole }', 'return { ...rest, complete }']],
    tests: ['src/strategy/read/merged-search.test.ts'],
  },
  {
    name: 'a search answers before what was written is indexed',
    file: 'src/backend/search/search-indexer.ts',
    edits: [
      ['    await this.catchUp()\n    return (await ask(true))!', '    return (await ask(true))!'],
    ],
    tests: ENGINES,
  },
  {
    name: 'an edit leaves no mark in SQLite',
    file: 'src/backend/sqlite/search/index-tables.ts',
    edits: [['AFTER UPDATE ON everthread_items', 'AFTER UPDATE OF key_id ON everthread_items']],
    tests: ENGINES,
  },
  {
    name: 'what was there before the index is taken for indexed',
    file: 'src/backend/sqlite/search/index-tables.ts',
    edits: [
      [
        'SELECT 1, 0, coalesce(',
        'SELECT 1, coalesce((SELECT max(row_id) FROM everthread_items), 0), coalesce(',
      ],
    ],
    tests: STORE,
  },
  {
    name: 'PostgreSQL indexes without a lock',
    file: 'src/backend/postgres/search/index-items.ts',
    edits: [['    await lockIndex(session, tables)\n    const marked', '    const marked']],
    tests: POSTGRES,
  },
  {
    name: 'marks of PostgreSQL leave edits out',
    file: 'src/backend/postgres/search/index-tables.ts',
    edits: [["['changed', 'UPDATE', 'NEW']", "['changed', 'TRUNCATE', 'NEW']"]],
    tests: POSTGRES,
  },
  {
    name: 'a lost trigger is not noticed',
    file: 'src/backend/sqlite/search/index-tables.ts',
    edits: [
      ['hasIndex(connection) && !hasTriggers(connection) ?', 'hasIndex(connection) && false ?'],
    ],
    tests: STORE,
  },
  {
    name: 'characters of writing without spaces are looked for one by one',
    file: 'src/core/search/search-terms.ts',
    edits: [
      [
        'term.every(({ word }, i) => words[at + i] === word)',
        'term.every(({ word }) => words.includes(word))',
      ],
    ],
    tests: WORDS,
  },
  {
    name: 'a character alone is indexed in pairs only',
    file: 'src/core/search/search-numbers.ts',
    edits: [['addUnits(numbers, unitsOf(text), true)', 'addUnits(numbers, unitsOf(text), false)']],
    tests: WORDS,
  },
  {
    name: 'the numbers of an item leave its tenant out',
    file: 'src/core/search/search-numbers.ts',
    edits: [
      [
        "new Set([numberOf('prefix', prefix), numberOf('key', key)])",
        "new Set([numberOf('key', key)])",
      ],
    ],
    tests: WORDS,
  },
]
