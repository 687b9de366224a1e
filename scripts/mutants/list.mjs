/*
 * Mistakes that are easily made, as changes of the sources. `mutants.mjs` makes each of them in a copy
 * and wants to see it caught.
 *
 *   file, edits   what is replaced by what; each text must be there exactly once
 *   simulate      settings of the simulation that catches it; `{}` for what the seeds draw
 *   programs      engine and faults of the generated programs that catch it
 *   tests         test files, one of which must fail, where the simulation has no such part
 */
import { BRANCH_MUTANTS } from './branches.mjs'
import { CHANGE_MUTANTS } from './changes.mjs'
import { CLOCK_MUTANTS } from './clocks.mjs'
import { CONDITION_MUTANTS } from './conditions.mjs'
import { LOG_MUTANTS } from './logs.mjs'
import { ID_MUTANTS } from './ids.mjs'
import { MESSAGE_MUTANTS } from './messages.mjs'
import { CLOCKS, OUTAGES } from './settings.mjs'
import { KEY_MUTANTS } from './keys.mjs'
import { RECORD_MUTANTS } from './records.mjs'
import { STREAM_MUTANTS } from './streams.mjs'
import { SEARCH_MUTANTS } from './search.mjs'
import { UPKEEP_MUTANTS } from './upkeep.mjs'

const JUMPS = {
  skewMs: 400_000,
  faults: ['clock', 'clock', 'primary-down', 'partition'],
  faultEveryMs: 600,
}
const MERGING = ['src/core/merge.test.ts', 'src/core/decide.test.ts']
const LOST_DISK = { faults: ['wipe-primary', 'wipe-backup', 'kill', 'restart', 'slow'] }
const CACHED = { read: 'cache-enhanced', faults: ['primary-down', 'cache-slow', 'slow', 'kill'] }

export const MUTANTS = [
  ...UPKEEP_MUTANTS,
  ...LOG_MUTANTS,
  ...CLOCK_MUTANTS,
  ...ID_MUTANTS,
  ...CONDITION_MUTANTS,
  ...KEY_MUTANTS,
  ...BRANCH_MUTANTS,
  ...RECORD_MUTANTS,
  ...STREAM_MUTANTS,
  ...CHANGE_MUTANTS,
  ...SEARCH_MUTANTS,
  ...MESSAGE_MUTANTS,
  // ---- bringing it to the databases
  {
    name: 'the flush marks entries done that the place did not take',
    file: 'src/wal/flush-worker.ts',
    edits: [
      [
        "if (!isStorageError(error, 'REJECTED')) throw error\n      await this.#applySingly(batch)",
        "if (!isStorageError(error, 'REJECTED')) {\n        source.acknowledge(place, batch)\n        return\n      }\n      await this.#applySingly(batch)",
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'entries are done before they are applied',
    file: 'src/wal/flush-worker.ts',
    edits: [
      [
        'try {\n      await target.apply(place, operations, source.cursor(place))',
        'source.acknowledge(place, batch)\n    try {\n      await target.apply(place, operations, source.cursor(place))',
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'a late answer of a place is not waited for by the worker',
    file: 'src/wal/ticket.ts',
    edits: [
      [
        "missed(place: DatabasePlace): void {\n    if (this.#places[place] === 'applied') return\n    this.#places[place] = 'idle'",
        "missed(place: DatabasePlace): void {\n    if (this.#places[place] === 'applied') return\n    this.#places[place] = 'applied'",
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'nothing is sent again to a database that lost its disk',
    file: 'src/wal/wal-manager.ts',
    edits: [['this.#wal?.resend(place)\n', '']],
    simulate: LOST_DISK,
  },
  // ---- merging
  {
    name: 'a clear deletes, but keeps no tombstone',
    file: 'src/core/merge.ts',
    edits: [
      [
        'for (const item of state.items.values()) keep(state, item)\n}',
        'for (const item of state.items.values()) keep(state, item)\n  state.deletedThrough = undefined\n}',
      ],
    ],
    simulate: {},
  },
  {
    name: 'a tombstone that is known is not held against an older place',
    file: 'src/strategy/seen-tombstones.ts',
    edits: [
      [
        'return this.#stamps.get(key)\n  }\n}',
        "return key === '' ? this.#stamps.get(key) : undefined\n  }\n}",
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'a removed message may be brought back by an edit',
    file: 'src/core/merge.ts',
    edits: [['maxStamp(a.removedOf, b.removedOf)', 'b.removedOf']],
    simulate: {},
  },
  {
    name: 'the older edit wins',
    file: 'src/core/merge.ts',
    edits: [
      [
        'const edited = isLaterEdit(b, a) ? b : a',
        'const edited = a.editedAt !== undefined ? a : b',
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'edits are ordered by their stamps alone',
    file: 'src/core/merge.ts',
    edits: [['ofA === ofB ? (a.editedAt', 'ofA !== undefined && ofB !== undefined ? (a.editedAt']],
    tests: MERGING,
  },
  {
    name: 'an edit survives the clear of its append',
    file: 'src/core/merge.ts',
    edits: [
      [
        '  if (item.position <= deletedThrough) return undefined\n',
        '  if (item.position <= deletedThrough && !((item.editedAt ?? STAMP_MIN) > deletedThrough)) {\n    return undefined\n  }\n',
      ],
      ['isLeft(editedOf) && {', '(item.editedAt ?? STAMP_MIN) > deletedThrough && {'],
    ],
    tests: MERGING,
  },
  {
    name: 'a removal survives a clear',
    file: 'src/core/merge.ts',
    edits: [
      [
        '  if (item.position <= deletedThrough) return undefined\n',
        '  if (item.position <= deletedThrough && item.removedOf === undefined) return undefined\n',
      ],
      [
        '...(removedOf !== undefined && isLeft(removedOf) && { removedOf })',
        '...(removedOf !== undefined && { removedOf })',
      ],
    ],
    tests: MERGING,
  },
  {
    name: 'an id that was removed can be saved again, and is not seen',
    file: 'src/core/decide.ts',
    edits: [['? existing.removedOf === position\n', '? true\n']],
    tests: MERGING,
  },
  {
    name: 'the last register to arrive wins',
    file: 'src/core/merge.ts',
    edits: [
      ['if (state.register === undefined || stamp > state.register.stamp)\n    state', 'state'],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'the first position of an id wins',
    file: 'src/core/merge.ts',
    edits: [
      [
        '(a.appendedAt ?? STAMP_MIN) >= (b.appendedAt ?? STAMP_MIN) ? a : b',
        'a.appendedAt !== undefined ? a : b',
      ],
    ],
    simulate: {},
  },
  {
    name: '`behind` is ignored: a save after a clear is swallowed',
    file: 'src/core/decide.ts',
    edits: [
      ['return cleared && deletedThrough !== undefined\n', 'return deletedThrough === null\n'],
    ],
    simulate: CLOCKS,
  },
  {
    name: 'an id that is there already is not looked for',
    file: 'src/core/decide.ts',
    edits: [
      [
        'if (unique && existing !== undefined) return',
        'if (unique && existing !== undefined && cleared) return',
      ],
    ],
    tests: ['src/core/decide.test.ts', 'test/store/write-strategies.test.ts'],
  },
  {
    name: 'a refused group is applied in part',
    file: 'src/backend/key-states.ts',
    edits: [
      [
        'if (!verdicts.some(isRefusal)) return verdicts',
        'if (verdicts.length > 0) return verdicts',
      ],
    ],
    tests: ['src/backend/memory'],
  },
  // ---- time
  {
    name: 'the wall clock instead of the hybrid clock',
    file: 'src/core/stamp.ts',
    edits: [
      [
        'if (stamp <= this.#observed) return',
        "if (key !== 'never' || stamp <= this.#observed) return",
      ],
    ],
    simulate: CLOCKS,
  },
  {
    name: 'a clock that goes back takes the stamps with it',
    file: 'src/core/stamp.ts',
    edits: [['if (now > this.#ms) this', 'if (now !== this.#ms) this']],
    simulate: CLOCKS,
  },
  {
    name: 'a key that is ahead of the clock does not follow what the clock has observed since',
    file: 'src/core/stamp.ts',
    edits: [
      [
        'if (floor !== undefined && own <= floor)',
        'if (floor !== undefined && stampMs(floor) >= this.#ms)',
      ],
    ],
    simulate: JUMPS,
  },
  {
    name: 'two keys that are ahead of the clock by the same get the same stamp',
    file: 'src/core/stamp.ts',
    edits: [['if (used === undefined || used < counter) return', 'void used\n    return']],
    tests: ['src/core/stamp.test.ts'],
  },
  {
    name: 'retention does not ask whether the clocks agree',
    file: 'src/strategy/clocks.ts',
    edits: [['if (wrong.length === 0) return', 'if (wrong.length < 9) return']],
    tests: ['test/store/clocks.test.ts', 'test/store/erase.test.ts'],
  },
  {
    name: 'retention goes by its own clock alone',
    file: 'src/strategy/clocks.ts',
    edits: [['Math.min(wall, ...known)', 'Math.max(wall, wall + 0 * known.length)']],
    tests: ['test/store/clocks.test.ts'],
  },
  {
    name: 'a plain value in the form of an envelope is not encrypted',
    file: 'src/core/encryption/value-cipher.ts',
    edits: [
      [
        "if (!('value' in operation) || this.#options === undefined) return operation",
        "if (!('value' in operation) || this.#options === undefined || operation.value.includes('et2.')) return operation",
      ],
    ],
    tests: ['test/store/encryption.test.ts'],
  },
  {
    name: 'who has read a message does not write after it',
    file: 'src/strategy/context.ts',
    edits: [
      [
        'for (const { position, editedAt } of items) {\n    clock.observe(position, key)\n',
        'for (const { editedAt } of items) {\n',
      ],
    ],
    simulate: CLOCKS,
  },
  {
    name: 'who has read a message in a cache does not write after it',
    file: 'src/strategy/read/cache-enhanced.ts',
    edits: [['observeItems(context, key, page.items)', '']],
    tests: ['test/store/shared-cache.test.ts'],
  },
  {
    name: 'a retry gets a new id',
    file: 'src/strategy/write/write-group.ts',
    edits: [
      [
        'await sleep(\n          context.env,',
        "current = {\n          ...current,\n          operations: stampAgain(context, current.operations, { kind: 'refused', sent: [], applied: [], effect }, effect).map((operation) => operation.kind === 'put' && operation.change === 'append' && !current.unique ? { ...operation, id: operation.stamp } : operation),\n        }\n        await sleep(\n          context.env,",
      ],
    ],
    simulate: {
      faults: ['drop', 'replies-lost', 'both-down', 'wal-out', 'partition'],
      write: 'idempotent',
    },
  },
  // ---- several processes
  {
    name: 'the backup is never told that the primary lacks something',
    file: 'src/strategy/write/attempt.ts',
    edits: [['...(hinted && { hint: context.clock.writerId }),', '']],
    simulate: OUTAGES,
  },
  {
    name: 'a hint is taken back although something is owed',
    file: 'src/strategy/replica-monitor.ts',
    edits: [
      [
        "const owes = log.owes('primary') || this.#suspect.has('primary')",
        'const owes = log === undefined',
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'hints are not looked at by reads',
    file: 'src/strategy/replica-monitor.ts',
    edits: [
      [
        'return this.#seen.backup !== undefined && this.foreignHints().length === 0',
        'return this.#seen.backup !== undefined',
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'a read of the backup alone calls itself complete',
    file: 'src/strategy/read/selecting-read-strategy.ts',
    edits: [
      [
        'if (!hasPrimary && !isOpen) return { value, complete: false }',
        'if (!hasPrimary && !isOpen) return { value, complete: true }',
      ],
    ],
    simulate: OUTAGES,
  },
  {
    name: 'a database that lost its data is still believed',
    file: 'src/strategy/replica-monitor.ts',
    edits: [
      ['this.#suspect.set(place, this.#options.env.monotonic())\n    delete', 'delete'],
      [
        'return backup.trusted === primary.identity && primary.trusted === backup.identity',
        'return true',
      ],
    ],
    simulate: LOST_DISK,
  },
  {
    name: 'reconciling copies one way only',
    file: 'src/sync/comparison.ts',
    edits: [
      [
        'return copy && (into === undefined || into === to)',
        "return copy && to === 'backup' && (into === undefined || into === to)",
      ],
    ],
    simulate: LOST_DISK,
  },
  {
    name: 'reconciling leaves tombstones out',
    file: 'src/sync/comparison.ts',
    edits: [
      [
        '      else await merger?.add(stored.operation)',
        "      else if (stored.operation.kind !== 'delete') await merger?.add(stored.operation)",
      ],
      [
        '} else await merger?.add(stored.operation)',
        "} else if (stored.operation.kind !== 'delete') await merger?.add(stored.operation)",
      ],
    ],
    simulate: LOST_DISK,
  },
  {
    name: 'reconciling takes back the warning of a writer that has lost the cache',
    file: 'src/sync/reconciler.ts',
    edits: [['backup.hints.filter((hint) => !isCacheHint(hint))', 'backup.hints.filter(Boolean)']],
    tests: ['test/store/shared-cache.test.ts'],
  },
  {
    name: 'the cache is not told of writes',
    file: 'src/strategy/write/write-group.ts',
    edits: [['await context.cache?.changed(result.operations.map(({ key }) => key))', '']],
    simulate: CACHED,
  },
  {
    name: 'an entry of the cache is marked as of now, not as of before its data was read',
    file: 'src/strategy/cache/shared-cache.ts',
    edits: [
      [
        'if (this.#owing) return\n    const text =',
        'if (this.#out) return\n    ;[tag = tag, all = all] = await this.#call((cache) => getTexts(cache, [tagKey(key), tagKey(ALL)]))\n    const text =',
      ],
    ],
    tests: ['test/store/shared-cache.test.ts'],
  },
  // ---- answers
  {
    name: 'a place that lacks a clear is believed when it says that an id stands',
    file: 'src/strategy/write/attempt.ts',
    edits: [['if (clears.length > 0) {', 'if (clears.length < 0) {']],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'a clear in the log says nothing about ids',
    file: 'src/wal/wal.ts',
    edits: [["operation.kind === 'delete' || (", '(']],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'one failed call of a primary that lives lets the backup decide about an id',
    file: 'src/strategy/write/attempt.ts',
    edits: [["place === 'primary' && (await this.#mayAskAgain(error))", 'false']],
    tests: ['test/store/ids-used-again.test.ts'],
  },
  {
    name: 'answers that overtook each other are those of an older database',
    file: 'src/strategy/replica-monitor.ts',
    edits: [[' && fetchedAt > known.heardAt', '']],
    tests: ['test/store/replica-monitor.test.ts'],
  },
  {
    name: 'a cache that comes back is not voided for what it was not told of',
    file: 'src/strategy/cache/shared-cache.ts',
    edits: [
      ['up to now: nothing that is cached counts any more.\n        await this.#renew(ALL)', ''],
    ],
    tests: ['src/strategy/cache/shared-cache.test.ts'],
  },
  {
    name: 'an answer that tells that the primary was replaced is complete',
    file: 'src/strategy/read/selecting-read-strategy.ts',
    edits: [['const isTrusted = monitor.isTrusted()', 'const isTrusted = true']],
    tests: ['test/store/replaced-primary.test.ts'],
  },
  {
    name: 'a list ends at a page of which nothing is seen',
    file: 'src/strategy/read/merged-keys.ts',
    edits: [
      ['if (live.length > 0 || horizon === undefined) {', 'if (round === 0) {'],
      ['if (entries.length > 0 || horizon === undefined) {', 'if (round === 0) {'],
    ],
    tests: ['test/store/cleared-pages.test.ts'],
  },
  {
    name: 'an outage reads as an empty conversation',
    file: 'src/strategy/read/first-answer.ts',
    edits: [
      [
        'unwanted === undefined ? reject(allFailed(errors)) : resolve(unwanted.answer),',
        'unwanted === undefined\n            ? errors.length > 99\n              ? reject(allFailed(errors))\n              : resolve({ value: { items: [], done: true }, complete: false } as T)\n            : resolve(unwanted.answer),',
      ],
    ],
    tests: ['test/store/read-strategies.test.ts'],
  },
  {
    name: 'a database that does not connect becomes memory',
    file: 'src/manager/storage-manager.ts',
    edits: [['allowInMemoryFallback: byDefault(false,', 'allowInMemoryFallback: byDefault(true,']],
    tests: ['src/manager/storage-manager.test.ts'],
  },
  {
    name: 'session tokens are not checked',
    file: 'src/chat/session-token.ts',
    edits: [
      [
        'given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)',
        'given.byteLength !== expected.byteLength && timingSafeEqual(given, given)',
      ],
    ],
    tests: ['test/store/sessions.test.ts'],
  },
  {
    name: 'an idle connection that drops ends the process',
    file: 'src/backend/postgres/connection/driver.ts',
    edits: [["pool.on('error', this.#onPoolError)", '']],
    tests: ['test/fault/postgres-driver.test.ts'],
  },
]
