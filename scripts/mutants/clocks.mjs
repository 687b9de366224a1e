// Mistakes about clocks that are wrong, and leaps that are taken back. The fields are those of `list.mjs`.

export const CLOCK_MUTANTS = [
  {
    name: 'a leap of the clock that was wrong is never taken back',
    file: 'src/core/stamp.ts',
    edits: [['if (this.#ms - this.#confirmedMs > this.#leapMs) this.#comeBack()', '']],
    tests: ['src/core/stamp.test.ts', 'test/store/clocks.test.ts'],
  },
  {
    name: 'a database without a clock confirms the clock of a process',
    file: 'src/strategy/clocks.ts',
    edits: [['if (places.every((known) => this.#silent.has(known)))', 'if (places.length > 0)']],
    tests: ['test/store/clocks.test.ts'],
  },
  {
    name: 'a leap is taken back below what a server had confirmed',
    file: 'src/core/stamp.ts',
    edits: [['Math.max(this.#confirmedMs, this.#provenMs, ', 'Math.max(this.#confirmedMs, ']],
    tests: ['src/core/stamp.test.ts'],
  },
  {
    name: 'stamps of a run that was left are made again',
    file: 'src/core/stamp.ts',
    edits: [['if (run !== undefined) return this.#unused(run.toMs + 1, 0)', 'void run']],
    tests: ['src/core/stamp.test.ts'],
  },
  {
    name: 'the clock of the primary is followed however far it is off',
    file: 'src/strategy/clocks.ts',
    edits: [['if ([ours, backup, this.#agreed].some(', 'if (primary || [ours].some(']],
    tests: ['test/store/clocks.test.ts'],
  },
]
