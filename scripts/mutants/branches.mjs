// Mistakes in forks, cuts and alternatives. The fields are those of `list.mjs`.

const MODEL = ['test/chat/branches-model.test.ts']
const STORE = ['test/store/branches.test.ts']
const LONG = ['test/chat/long-cuts.test.ts']
const KILL = ['test/fault/branches-kill.test.ts']
const SEAMS = ['test/store/branch-seams.test.ts']
const FORKS = 'src/chat/branches/forks.ts'
const VIEW = 'src/chat/branches/conversation-view.ts'
const BRANCHES = 'src/chat/branches/branches.ts'

export const BRANCH_MUTANTS = [
  {
    name: 'a clear does not copy what forks share first',
    file: BRANCHES,
    edits: [
      ['await this.forks.release(conversationId)', '{ key: conversationId, last: null } as const'],
    ],
    tests: KILL,
  },
  {
    name: 'an edit reaches the forks that share the message',
    file: BRANCHES,
    edits: [
      [
        '    await this.forks.protect(conversationId, { from: position, through: position })\n    if (!isShared)',
        '    if (!isShared)',
      ],
    ],
    tests: MODEL,
  },
  {
    name: 'a fork that edits a shared message edits that of the source',
    file: BRANCHES,
    edits: [
      ['    if (!isShared) return { key, id, position }', '    return { key, id, position }'],
    ],
    tests: MODEL,
  },
  {
    name: 'what a fork removed of what it shares is shown again',
    file: VIEW,
    edits: [['filter(({ item }) => !replaced.ids.has(item.id))', 'filter(() => true)']],
    tests: MODEL,
  },
  {
    name: 'a page that lies wholly in what is shared ends there',
    file: VIEW,
    edits: [
      [
        '    if (before === undefined || !done) return { marker: undefined, complete }',
        '    if (before !== undefined || !done) return { marker: undefined, complete }',
      ],
    ],
    tests: MODEL,
  },
  {
    name: 'a fork begins without a tombstone, and a late clock saves before its marker',
    file: FORKS,
    edits: [
      [
        "      { kind: 'delete', key, stamp: through },\n      { ...append, key, id: MARKER_ID",
        '      { ...append, key, id: MARKER_ID',
      ],
    ],
    tests: STORE,
  },
  {
    name: 'a clear of a conversation with forks does not wait for a place that may have more',
    file: FORKS,
    edits: [['if (isWhole && !page.complete)', 'if (isWhole && page.complete && false)']],
    tests: STORE,
  },
  {
    name: 'a cleared conversation takes the trace of its forks along',
    file: FORKS,
    edits: [['      await this.#store.mergeGroup([entry])\n', '      void entry\n']],
    tests: STORE,
  },
  {
    name: 'a long cut copies nothing of what stays',
    file: FORKS,
    edits: [['      copies.push(operationsOfItem(to, settled.item))', '      void settled']],
    tests: LONG,
  },
  {
    name: 'an alternative that is left loses its edits',
    file: 'src/chat/branches/alternatives.ts',
    edits: [['body: isLeft ? left : slot.body,', 'body: slot.body,']],
    tests: STORE,
  },
  {
    name: 'two processes that add alternatives at once share a slot',
    file: 'src/chat/branches/alternatives.ts',
    edits: [["if (!isStorageError(error, 'CONFLICT')) throw error", 'throw error']],
    tests: STORE,
  },
  {
    name: 'a clear does not notice a fork that was made meanwhile',
    file: BRANCHES,
    edits: [
      [
        'await writeWhile(this.#store, unforked, changes)',
        'await this.#store.groups.write(changes, unforked && undefined)',
      ],
    ],
    tests: SEAMS,
  },
  {
    name: 'a fork is counted with its marker, and without what it shares',
    file: 'src/chat/records/record-reader.ts',
    edits: [
      [
        'const count = await this.#view.count(conversationId, async (key) => {',
        'const { count } = await this.store.countItems(conversationKey(this.tenant, conversationId))\n    await this.#view.count(conversationId, async (key) => {',
      ],
    ],
    tests: SEAMS,
  },
  {
    name: 'a clear in a whole outage takes forks that are known of',
    file: FORKS,
    edits: [['isOutage(error) && !this.#mayBeSource(conversationId)', 'isOutage(error)']],
    tests: SEAMS,
  },
  {
    name: 'a clear in a whole outage is refused',
    file: FORKS,
    edits: [['isOutage(error) && !this.#mayBeSource(conversationId)', 'false']],
    tests: SEAMS,
  },
  {
    name: 'a clear whose first try may stand says that it has no effect',
    file: 'src/chat/write-while.ts',
    edits: [['throw errorOfBoth(error, second)', 'throw second']],
    tests: ['src/chat/write-while.test.ts'],
  },
]
