// Mistakes in messages that are written as streams. The fields are those of `list.mjs`.

const STREAMS = ['test/store/streams.test.ts']
const WRITERS = ['test/store/stream-writers.test.ts']
const BRANCHES = ['test/store/stream-branches.test.ts']
const ENDERS = ['test/store/stream-enders.test.ts']
const FORKS = ['test/store/changes-of-forks.test.ts']
const REPLAY = ['src/chat/streams/replay.test.ts']

export const STREAM_MUTANTS = [
  {
    name: 'deltas behind a gap are shown',
    file: 'src/chat/streams/replay.ts',
    edits: [
      [
        'const known = this.#chunks.get(this.#writer)?.get(this.#count)',
        'const known = this.#chunks.get(this.#writer)?.get(this.#count) ?? this.#chunks.get(this.#writer)?.get(this.#count + 1)',
      ],
    ],
    tests: REPLAY,
  },
  {
    name: 'what an overtaken writer still writes is shown',
    file: 'src/chat/streams/replay.ts',
    edits: [['(end === undefined || this.#count < end.n)', 'end !== null']],
    tests: REPLAY,
  },
  {
    name: 'deltas whose save failed are not sent again',
    file: 'src/chat/streams/message-stream.ts',
    edits: [['        this.#unsent = chunk\n', '']],
    tests: WRITERS,
  },
  {
    name: 'a writer does not say that it lives',
    file: 'src/chat/streams/message-stream.ts',
    edits: [['      await this.#drain(false, true)\n', '']],
    tests: WRITERS,
  },
  {
    name: 'a writer does not look whether it was overtaken',
    file: 'src/chat/streams/message-stream.ts',
    edits: [['if (claims.items.length > 0) {', 'if (claims.items.length > 9) {']],
    tests: WRITERS,
  },
  {
    name: 'several processes go on with one message',
    file: 'src/chat/streams/streams.ts',
    edits: [['[{ id, value: claim,', '[{ id: `${id}-${claim.w}`, value: claim,']],
    tests: WRITERS,
  },
  {
    name: 'a message is gone on with although more of it may be elsewhere',
    file: 'src/chat/streams/streams.ts',
    edits: [
      [
        'if (!complete || !partial.complete || partial.replay.hasGap)',
        'if (partial.replay.hasGap)',
      ],
    ],
    tests: WRITERS,
  },
  {
    name: 'a message is taken over while its writer lives',
    file: 'src/chat/streams/streams.ts',
    edits: [['if (this.#store.earliestNow() <= until + TOLERANCE_MS) {', 'if (until < 0) {']],
    tests: WRITERS,
  },
  {
    name: 'a second writer of an id that was ended begins again',
    file: 'src/chat/streams/streams.ts',
    edits: [
      ["if (!isOurs || items.length > 0) throw taken(place.id, 'exists already')", 'void isOurs'],
    ],
    tests: WRITERS,
  },
  {
    name: 'a start that was saved is said to have had no effect',
    file: 'src/chat/streams/streams.ts',
    edits: [
      [
        'await this.#checkNew(place, writer).catch(afterEffect)',
        'await this.#checkNew(place, writer)',
      ],
    ],
    programs: { engine: 'simulation', faults: 'some' },
  },
  {
    name: 'deltas stay when their message is whole',
    file: 'src/chat/streams/message-stream.ts',
    edits: [['if (this.#hasList) await removeStream(store, place.streamKey)', '']],
    tests: STREAMS,
  },
  {
    name: 'a message that ends while it is read is shown without its deltas',
    file: 'src/chat/streams/partial-reader.ts',
    edits: [['mayHaveEnded: items.length === 0 || pages > 1', 'mayHaveEnded: pages > 1']],
    tests: STREAMS,
  },
  {
    name: 'a delta ends with half a character',
    file: 'src/chat/streams/pending-steps.ts',
    edits: [['return isHalf && !isWhole ? cut - 1 : cut', 'return cut']],
    tests: STREAMS,
  },
  {
    name: 'a window has half an answer',
    file: 'src/chat/window/read-window.ts',
    edits: [["if (message.partial === 'in_progress') continue", '']],
    tests: STREAMS,
  },
  {
    name: 'a clear leaves deltas',
    file: 'src/chat/chat-history.ts',
    edits: [
      [
        '    const outcome = await this.#branches.clear(conversationId)\n    await this.#streams.removeAll(conversationId)\n',
        '    const outcome = await this.#branches.clear(conversationId)\n',
      ],
    ],
    tests: STREAMS,
  },
  {
    name: 'retention leaves deltas',
    file: 'src/chat/retention/retention.ts',
    edits: [['    await removeOrphans(store, tenant, conversationId)\n', '']],
    tests: STREAMS,
  },
  {
    name: 'an erase leaves the deltas of finished messages in the log',
    file: 'src/store/erase/through-of.ts',
    edits: [
      [
        'for (const prefix of prefixesOf(record)) {',
        'for (const prefix of prefixesOf({ ...record, also: [] })) {',
      ],
    ],
    tests: ['test/store/erase.test.ts'],
  },
  {
    name: 'a copy of a message that is being written is empty',
    file: 'src/chat/streams/settle-item.ts',
    edits: [['markOf(message) === undefined || parsed', 'message !== undefined || parsed']],
    tests: BRANCHES,
  },
  {
    name: 'alternatives show how a message is stored',
    file: 'src/chat/branches/alternatives.ts',
    edits: [['    const [one] = shown\n', '    const [one] = [{ ...shown[0], ...read[0] }]\n']],
    tests: BRANCHES,
  },
  {
    name: 'another answer is chosen over one that is being written',
    file: 'src/chat/branches/alternatives.ts',
    edits: [["if (partial === 'in_progress') {", "if (partial === 'completed') {"]],
    tests: BRANCHES,
  },
  {
    name: 'a finish replaces an update',
    file: 'src/chat/streams/message-stream.ts',
    edits: [
      [
        'for (const conditions of [[stands, unclaimed], [stands]]) {',
        'for (const conditions of [[unclaimed]]) {',
      ],
    ],
    tests: ENDERS,
  },
  {
    name: 'a writer that slept ends what another one took over',
    file: 'src/chat/streams/message-stream.ts',
    edits: [['[[stands, unclaimed], [stands]]', '[[stands]]']],
    tests: ENDERS,
  },
  {
    name: 'what a writer stored after its message was removed stays',
    file: 'src/chat/streams/message-stream.ts',
    edits: [
      [
        '    if (this.#hasList) await removeStream(this.#parts.store, this.#parts.place.streamKey)\n',
        '',
      ],
    ],
    tests: ENDERS,
  },
  {
    name: 'retention leaves streams that were left behind',
    file: 'src/chat/retention/retention.ts',
    edits: [['    if (!signal.aborted) await this.#repairStreams()\n', '']],
    tests: ['test/store/retention.test.ts'],
  },
  {
    name: 'followers of a fork are not told what it removes of what it shares',
    file: 'src/chat/branches/branches.ts',
    edits: [
      ['[...operations, set, ...(await this.touching(conversationId))]', '[...operations, set]'],
    ],
    tests: FORKS,
  },
  {
    name: 'followers of a fork are not told what it edits of what it shares',
    file: 'src/chat/chat-history.ts',
    edits: [['    await this.#branches.touch(conversationId, found)\n', '']],
    tests: FORKS,
  },
  {
    name: 'a fork is told before the clear that it begins with',
    file: 'src/chat/changes/change-feed.ts',
    edits: [["group.some(({ kind }) => kind === 'delete') ? [] : group", 'group']],
    tests: FORKS,
  },
  {
    name: 'the pass over all conversations of a tenant compares nothing',
    file: 'src/chat/changes/tenant-source.ts',
    edits: [
      [
        '      if (parked !== undefined) {\n',
        '      if (parked === tracker && parked === undefined) {\n',
      ],
    ],
    tests: ['test/store/changes-of-tenant.test.ts'],
  },
]
