// Mistakes about ids of callers' that are used again, about edits and clears, and about what `complete` says.

const NO_FAULTS = { engine: 'simulation', faults: 'none' }
const FAULTS = { engine: 'simulation', faults: 'some' }

export const ID_MUTANTS = [
  {
    name: 'what the log knows of a cleared save is a repeat',
    file: 'src/store/recognise-ids.ts',
    edits: [
      [
        'const items = new Map(found.items.map((item) => [item.id, item]))',
        "const items = new Map(found.items.concat(logged.flatMap((each) => each.kind === 'put' && each.change === 'append' && ids.has(each.id) ? [{ id: each.id, position: each.position, appendedAt: each.position, appended: each.value }] : [])).map((item) => [item.id, item]))",
      ],
    ],
    programs: NO_FAULTS,
  },
  {
    name: 'an id is given out without a look at the backup',
    file: 'src/store/recognise-ids.ts',
    edits: [
      [
        'if (!places.primary.isUp() || !places.backup.isUp()) return true',
        'if (places.primary.isUp() || !places.backup.isUp()) return true',
      ],
    ],
    programs: FAULTS,
  },
  {
    name: 'a clear past the primary is not told to it before it decides about an id',
    file: 'src/store/recognise-ids.ts',
    edits: [['await tellClear(context, key)', 'if (ids.size === 0) await tellClear(context, key)']],
    programs: FAULTS,
  },
  {
    name: 'a hedge decides about an id a second time',
    file: 'src/strategy/write/next-step.ts',
    edits: [["'failed' && !primarySilent", "'failed' && view.time === 'early'"]],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'the backup is not asked whether what the primary took stands there',
    file: 'src/strategy/write/attempt.ts',
    edits: [['decide: judges,', "decide: place === 'primary' && judges,"]],
    tests: ['test/store/common-database.test.ts'],
  },
  {
    name: 'a clear that the backup had is not seen by a repeat',
    file: 'src/strategy/write/repeats.ts',
    edits: [["answer.outcome === 'applied') return", "answer.outcome === 'gone') return"]],
    tests: ['test/store/common-database.test.ts'],
  },
  {
    name: 'a repeat stands where the place that decides has it, whatever another has',
    file: 'src/strategy/write/repeats.ts',
    edits: [['for (const operation of earlier) this.#noteOwn(operation)', '']],
    tests: ['test/store/common-database.test.ts'],
  },
  {
    name: 'a group that is refused for a repeat forgets what a place took of it',
    file: 'src/strategy/write/attempt.ts',
    edits: [
      ['const tookRest = !result.applied.some(isRefusal)', 'const tookRest = applied.length < 0'],
    ],
    tests: ['test/store/late-refusal.test.ts'],
  },
  {
    name: 'a late primary that lives is taken for out',
    file: 'src/strategy/write/attempt.ts',
    edits: [
      ['const isAlive = await monitor.isPrimaryAlive()', 'const isAlive = monitor === undefined'],
    ],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'an answer of the primary alone is complete whatever the hints say',
    file: 'src/strategy/read/selecting-read-strategy.ts',
    edits: [["if (verdict === 'current' && isTrusted) return", 'if (isTrusted) return']],
    programs: FAULTS,
  },
  {
    name: 'a repeat of what another process removed is answered by the save',
    file: 'src/strategy/write/repeats.ts',
    edits: [
      ['isRemoved(answer.item) && this.#earlier.includes(operation)', 'this.#earlier.length < 0'],
    ],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'an id that this process removed is known only if it had saved it',
    file: 'src/strategy/known-ids.ts',
    edits: [
      [
        "if (operation.change !== 'append') {",
        "if (operation.change !== 'append' && before !== undefined) {",
      ],
    ],
    tests: ['src/strategy/known-ids.test.ts'],
  },
  {
    name: 'a start after one that followed a kill goes on at its ceiling',
    file: 'src/wal/file/open-log.ts',
    edits: [['this.#greatestMs = options.reachedMs', 'this.#greatestMs = options.ceilingMs']],
    programs: { engine: 'sqlite', faults: 'some' },
  },
  {
    name: 'a start goes on at the saved ceiling, ahead of other processes',
    file: 'src/wal/file/takeover.ts',
    edits: [['return knownMs <= env.now() ? knownMs : meta.ceilingMs', 'return meta.ceilingMs']],
    tests: ['test/fault/file-wal-takeover.test.ts'],
  },
  {
    name: 'hints that came and went beside a read are not noticed',
    file: 'src/strategy/replica-monitor.ts',
    edits: [["return isSame ? 'current' : 'ask-again'", "return isSame ? 'current' : 'current'"]],
    tests: ['test/store/replica-monitor.test.ts'],
  },
  {
    name: 'the other place is not asked whether a repeat was removed there',
    file: 'src/strategy/write/removed-among.ts',
    edits: [['if (repeated.length === 0)', 'if (repeated.length >= 0)']],
    tests: ['test/store/common-database.test.ts'],
  },
  {
    name: 'the second place does not say whether an id is new there',
    file: 'src/strategy/write/attempt.ts',
    edits: [
      ['unique: judges && this.#group.unique', "unique: place === 'primary' && this.#group.unique"],
    ],
    tests: ['test/store/common-database.test.ts'],
  },
  {
    name: 'what a process is told of a removed id is forgotten',
    file: 'src/strategy/write/write-group.ts',
    edits: [['if (isRemoved(item)) known.removed(key, item)', 'known.acknowledged([])']],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'content that may be another goes by the stamp of the first save',
    file: 'src/store/recognise-ids.ts',
    edits: [
      [
        'const { appendedAt: position, appended: value } = item',
        'const { position } = item\n  const value = item.appended ?? append.value',
      ],
    ],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'a shared log alone acknowledges a repeat of what may be cleared',
    file: 'src/store/recognise-ids.ts',
    edits: [
      [
        'context.log.isShared() && !found.isAnswered',
        'context.log.isShared() && earlier.length < 0',
      ],
    ],
    tests: ['test/store/shared-log-ids.test.ts'],
  },
  {
    name: 'a late place that took an id which stands elsewhere has what was acknowledged',
    file: 'src/strategy/write/attempt.ts',
    edits: [['repeats.spread.length > 0 ||', 'repeats.spread.length < 0 ||']],
    tests: ['test/store/late-refusal.test.ts'],
  },
]
