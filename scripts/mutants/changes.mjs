// Mistakes about the changes that followers are told.

const TRACKER = { tests: ['src/chat/changes/tracker.test.ts'] }
const STORES = { tests: ['test/store/changes.test.ts'] }

export const CHANGE_MUTANTS = [
  {
    name: 'followers are not told of clears',
    file: 'src/chat/changes/tracker.ts',
    edits: [["told.push(this.#tell({ type: 'cleared', through }))", 'told.slice()']],
    programs: { engine: 'simulation', faults: 'none' },
  },
  {
    name: 'a clear leaves what followers know of older messages as it is',
    file: 'src/chat/changes/tracker.ts',
    edits: [['    this.#below.cut(through)\n', '']],
    ...TRACKER,
  },
  {
    name: 'a place that lags takes an edit back',
    file: 'src/chat/changes/tracker.ts',
    edits: [[' || !isNewer(mark, known.mark)', ' || isNewer(mark, mark)']],
    ...TRACKER,
  },
  {
    name: 'what a place lacks passes for removed',
    file: 'src/chat/changes/tracker.ts',
    edits: [['if (view.complete) this.#miss', 'this.#miss']],
    ...TRACKER,
  },
  {
    name: 'a cursor knows what its consumer was not told yet',
    file: 'src/chat/changes/tracker.ts',
    edits: [['cursor: i < differing.length - 1 ? before : this.cursor', 'cursor: this.cursor']],
    ...TRACKER,
  },
  {
    name: 'whoever comes back with a cursor is not told of removals',
    file: 'src/chat/changes/tracker.ts',
    edits: [['if (known !== undefined || this.#isResumed)', 'if (known !== undefined)']],
    ...TRACKER,
  },
  {
    name: 'a part that was cut passes for the same',
    file: 'src/chat/changes/summary.ts',
    edits: [
      [
        'const isSame = isNew || (total !== undefined &&',
        'const isSame = isNew || total === undefined || (',
      ],
    ],
    ...TRACKER,
  },
  {
    name: 'a follower looks behind the last position alone',
    file: 'src/chat/changes/conversation-poller.ts',
    edits: [
      ['const NEAR_MS = 3_000', 'const NEAR_MS = 0'],
      [
        'const isWhole = this.#now - this.#wholeAtMs >= WHOLE_EVERY_MS',
        'const isWhole = this.#latest === STAMP_MIN',
      ],
    ],
    ...STORES,
  },
  {
    name: 'nobody looks at the older messages',
    file: 'src/chat/changes/conversation-poller.ts',
    edits: [['if (this.#now >= this.#scanAtMs) void this.#scan()', '']],
    ...STORES,
  },
  {
    name: 'followers are not told what their process writes',
    file: 'src/strategy/write/announced.ts',
    edits: [['for (const listener of listeners) listener(outcome.operations)', '']],
    ...STORES,
  },
  {
    name: 'a slow consumer is not told what came meanwhile',
    file: 'src/chat/changes/conversation-source.ts',
    edits: [
      [
        'await retrying(this.#parts, () => this.catchUp(tracker))\n    }',
        'await Promise.resolve()\n      return\n    }',
      ],
    ],
    ...STORES,
  },
]
