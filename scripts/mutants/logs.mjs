// Mistakes in the logs; `list.mjs` says what the fields mean.
import { CLOCKS, OUTAGES } from './settings.mjs'

const POWER = { wal: 'file', faults: ['power-cut', 'primary-down', 'backup-down', 'both-down'] }
const SHARED_OUTAGES = {
  wal: 'redis-stream',
  faults: ['wal-out', 'kill', 'restart', 'primary-down', 'backup-down', 'both-down'],
  faultEveryMs: 1_500,
}
const SHARED_LOSSES = { ...SHARED_OUTAGES, fsync: 'everysec', write: 'wal-first' }

export const LOG_MUTANTS = [
  // ---- the log
  {
    name: 'acknowledged before the sync',
    file: 'src/wal/file/segments.ts',
    edits: [['if (sync && !isOneCall) await file.sync()', '']],
    simulate: POWER,
  },
  {
    name: 'a new segment without a sync of its directory',
    file: 'src/wal/file/segments.ts',
    edits: [
      [
        "hit('wal.roll.beforeDirSync')\n      await env.disk.syncDirectory(directory)",
        "hit('wal.roll.beforeDirSync')",
      ],
    ],
    tests: ['test/fault/file-wal-power-loss.test.ts'],
  },
  {
    name: 'a failed sync is tried again, and believed',
    file: 'src/wal/file/segments.ts',
    edits: [
      [
        'if (sync && !isOneCall) await file.sync()',
        'if (sync && !isOneCall) await file.sync().catch(() => file.sync())',
      ],
    ],
    tests: ['test/fault/file-wal-disk-faults.test.ts'],
  },
  {
    name: 'a group that was written and not confirmed keeps its segment',
    file: 'src/wal/file/committer.ts',
    edits: [['await this.#options.segments.giveUp()', '']],
    tests: ['test/fault/file-wal-disk-faults.test.ts'],
  },
  {
    name: 'what was written counts although the folder is gone',
    file: 'src/wal/file/open-log.ts',
    edits: [['if (!(await this.#options.segments.isNamed())) throw this.lose()', '']],
    tests: ['test/fault/file-wal-folder-gone.test.ts'],
  },
  {
    name: 'a foreign boot id means dead',
    file: 'src/wal/file/owner.ts',
    edits: [
      [
        "if (self.bootId === undefined || owner.bootId !== self.bootId) return 'unknown'",
        "if (self.bootId === undefined || owner.bootId !== self.bootId) return 'dead'",
      ],
    ],
    tests: ['test/fault/file-wal-takeover.test.ts'],
  },
  {
    name: 'nobody asks the socket of an owner',
    file: 'src/wal/file/owner.ts',
    edits: [["if (socket === 'listening') return 'alive'", '']],
    tests: ['test/fault/file-wal-takeover.test.ts'],
  },
  {
    name: 'an observer that stood still takes that for silence',
    file: 'src/wal/file/silence.ts',
    edits: [['Math.min(nowMs - before.seenMs, LOOK_MS_MAX)', 'nowMs - before.seenMs']],
    tests: ['src/wal/file/silence.test.ts'],
  },
  {
    name: 'what memory owes waits behind what a place refuses',
    file: 'src/wal/owed.ts',
    edits: [['if (this.#refused[place].has(ticket) !== refused) continue', 'void refused']],
    tests: ['src/wal/flush-worker.test.ts'],
  },
  {
    name: 'short writes are taken for whole ones',
    file: 'src/wal/file/spare.ts',
    edits: [['done += count', 'done = bytes.byteLength']],
    tests: ['test/fault/file-wal-disk-faults.test.ts'],
  },
  {
    name: 'checksums are not compared',
    file: 'src/wal/file/frame.ts',
    edits: [['if (sum !== buffer.readUInt32LE(start + 4)) return undefined', 'void sum']],
    tests: ['test/fault/file-wal-damage.test.ts'],
  },
  {
    name: 'segments go by age, not by what places have',
    file: 'src/wal/file/segments.ts',
    edits: [['if (end > settled || this.#list[i] === this.#active) break', 'void settled']],
    simulate: { ...POWER, write: 'wal-first' },
  },
  {
    name: 'what the log holds is not laid over reads',
    file: 'src/strategy/read/source.ts',
    edits: [
      ['return await this.#context.log.pending(this.place.name, key)', 'void key\n    return []'],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'the place is read before what is pending for it',
    file: 'src/strategy/read/merged-page.ts',
    edits: [
      [
        'const walks = await startWalks(sources, query.key)\n  if',
        'const early = sources.length === 1 ? await first.readItems(query) : undefined\n  const walks = await startWalks(sources, query.key)\n  if',
      ],
      ['const page = await first.readItems(query)\n    if', 'const page = early!\n    if'],
    ],
    simulate: {},
  },
  {
    name: 'what only memory owes is forgotten',
    file: 'src/wal/wal-manager.ts',
    edits: [
      [
        'this.#owed.add(ticket)\n',
        'if (this.#wal !== undefined) return\n    this.#owed.add(ticket)\n',
      ],
    ],
    simulate: { faults: ['wal-out', 'wal-full', 'backup-down', 'primary-down'] },
  },
  // ---- the shared log
  {
    name: 'a shared log believes that its server has lost nothing',
    file: 'src/wal/redis-stream/open-stream.ts',
    edits: [['changed.includes(partition))', 'changed.includes(partition) && partition < 0)']],
    simulate: SHARED_LOSSES,
  },
  {
    name: 'the shared log gives numbers out again that were lost',
    file: 'src/wal/redis-stream/scripts/open-lua.ts',
    edits: [['n = math.max(n, known) + JUMP', 'n = n']],
    simulate: SHARED_LOSSES,
  },
  {
    name: 'the shared log sequences nothing',
    file: 'src/wal/redis-stream/scripts/append-lua.ts',
    edits: [['if #behind > 1 then return behind end\nlocal n = unpad', 'local n = unpad']],
    simulate: {
      ...CLOCKS,
      wal: 'redis-stream',
      fsync: 'always',
      faults: ['both-down', 'clock', 'kill'],
      processes: 4,
    },
  },
  {
    name: 'a group in the shared log leaves no marks at its other keys',
    file: 'src/wal/redis-stream/append-group.ts',
    edits: [['if (marked) await mark(target, group, mode)', '']],
    tests: ['test/integration/redis-stream.test.ts'],
  },
  {
    name: 'the shared log trims what only the primary has',
    file: 'src/wal/redis-stream/scripts/settle-lua.ts',
    edits: [
      [
        "for place in string.gmatch('pb', '.') do\n    local first",
        "for place in string.gmatch('p', '.') do\n    local first",
      ],
    ],
    simulate: SHARED_OUTAGES,
  },
  {
    name: 'nobody takes over what a process left in the shared log',
    file: 'src/wal/redis-stream/open-stream.ts',
    edits: [
      [
        'if (lsns.length < limit && this.#claimable[place] && this.link.ready) {',
        'if (lsns.length > limit && this.#claimable[place] && this.link.ready) {',
      ],
    ],
    simulate: SHARED_OUTAGES,
  },
  {
    name: 'a new connection to the shared log goes on as the consumer of the one before',
    file: 'src/wal/redis-stream/open-stream.ts',
    edits: [["Buffer.from(env.randomBytes(6)).toString('hex')", "'own'"]],
    simulate: SHARED_OUTAGES,
  },
  {
    name: 'a look that failed half way takes the shared log for whole',
    file: 'src/wal/redis-stream/open-stream.ts',
    edits: [
      [
        '    this.#session = Buffer',
        '    this.#partitions = partitions\n    this.#session = Buffer',
      ],
    ],
    tests: ['test/fault/redis-stream.test.ts'],
  },
  {
    name: 'a try that ran out of time while the log was at it is followed by another',
    file: 'src/strategy/write/attempt.ts',
    edits: [["onEnd(() => this.#pass('up'))", "onEnd(() => setTimeout(() => this.#pass('up')))"]],
    tests: ['test/store/log-late.test.ts'],
  },
]
