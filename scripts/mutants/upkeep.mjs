// Mistakes in what keeps a store in order: erasing, reconciling, caches, takeovers, retention, tenants.
// The fields are those of `list.mjs`.

const CACHED = { read: 'cache-enhanced', faults: ['primary-down', 'cache-slow', 'slow', 'kill'] }
const ERASE = ['test/store/erase.test.ts']
const ERASE_CUT_SHORT = ['test/fault/erase-kill.test.ts']
const RECONCILE = ['test/store/reconcile.test.ts']
const CACHE = ['test/store/shared-cache.test.ts']
const STREAM = [
  'test/fault/redis-stream.test.ts',
  'test/integration/redis-stream.test.ts',
  'test/integration/redis-stream-conformance.test.ts',
]
const TAKEOVER = ['test/fault/file-wal-takeover.test.ts']
const WINDOWS = ['src/chat/window/read-window.test.ts', 'test/store/windows.test.ts']
const RETENTION = ['src/chat/retention/plan-cut.test.ts', 'test/store/retention.test.ts']
const TENANTS = ['test/security/tenants.test.ts']

export const UPKEEP_MUTANTS = [
  // ---- erasing
  {
    name: 'an erase leaves the payloads in the log',
    file: 'src/store/erase/erasures.ts',
    edits: [
      [
        'await this.#parts.context.log.erase(throughOfAll([record]))',
        'await this.#parts.context.log.erase(throughOfAll([]))',
      ],
    ],
    tests: ERASE,
  },
  {
    name: 'an erase leaves the free space of the databases as it is',
    file: 'src/store/erase/erasures.ts',
    edits: [['return await purge(place)', 'void purge\n    return []']],
    tests: ERASE,
  },
  {
    name: 'an erase signs off for a database that the clear has not reached',
    file: 'src/store/erase/erasures.ts',
    edits: [['if (uncleared.length > 0) {', 'if (uncleared.length > 999) {']],
    tests: ERASE,
  },
  {
    name: 'an erase whose first step was cut short waits for a clear that nobody brings',
    file: 'src/store/erase/erasures.ts',
    edits: [
      [
        'if (progress.lost.length > 0) return await',
        'if (progress.lost.length > 999) return await',
      ],
    ],
    tests: ERASE,
  },
  {
    name: 'a place that signed off is not asked again after a clear that was lost',
    file: 'src/store/erase/erasures.ts',
    edits: [['return await this.#save(record, { signed: {} })', 'return record']],
    tests: ERASE,
  },
  {
    name: 'no process looks for the erases of others',
    file: 'src/store/erase/erasures.ts',
    edits: [['await this.#inTurn(() => this.#round(signal))', 'void this.#round']],
    tests: ERASE_CUT_SHORT,
  },
  {
    name: 'an erase of a tenant takes what was saved after it, too',
    file: 'src/store/erase/erasures.ts',
    edits: [
      [
        "const operations = [{ kind: 'delete', key, stamp: through } as const]",
        "void through\n          const stamp = this.#parts.context.clock.tick(key)\n          const operations = [{ kind: 'delete', key, stamp } as const]",
      ],
    ],
    tests: ERASE,
  },
  {
    name: 'an erase of a tenant signs off although a database was not listed',
    file: 'src/store/erase/erasures.ts',
    edits: [['complete &&= page.complete', 'complete ||= page.complete']],
    tests: ERASE,
  },
  {
    name: 'an erase leaves pages in the cache',
    file: 'src/store/erase/erasures.ts',
    edits: [['await cache?.forget(known ?? [])', '']],
    tests: ERASE,
  },
  {
    name: 'a segment is written anew with its payloads',
    file: 'src/wal/file/erase-segment.ts',
    edits: [['payload.copy(copy, frame.payloadStart)', '']],
    tests: ['src/wal/file/erase.test.ts', 'test/store/erase.test.ts'],
  },
  {
    name: 'the logs of other processes are not looked at by an erase',
    file: 'src/wal/file/find-erasable.ts',
    edits: [
      [
        'found = decodeGroup(buffer, payloadStart).some(',
        'found = decodeGroup(buffer, payloadStart).every(',
      ],
      ['isErased(operation, throughOf))', 'operation === undefined)'],
    ],
    tests: ['src/wal/file/erase.test.ts', 'test/store/erase.test.ts'],
  },
  {
    name: 'the shared log is written anew with its payloads',
    file: 'src/wal/redis-stream/scripts/erase-lua.ts',
    edits: [["if fields[i] == 'o' and changes[n] then fields[i + 1] = changes[n] end", '']],
    tests: ['test/integration/redis-erase.test.ts'],
  },
  {
    name: 'the shared log forgets at an erase what a place lacks',
    file: 'src/wal/redis-stream/scripts/erase-lua.ts',
    edits: [
      [
        "if isPending('p', n) or isPending('b', n) then",
        "if isPending('p', n) and isPending('b', n) then",
      ],
    ],
    tests: ['test/integration/redis-erase.test.ts'],
  },
  // ---- reconciling
  {
    name: 'a pass with damaged or refused rows notes both databases as equal',
    file: 'src/sync/reconciler.ts',
    edits: [['if (isComplete && isUndamaged(tally)) await', 'if (isComplete) await']],
    tests: [...RECONCILE, 'test/integration/reconcile-pairs.test.ts'],
  },
  {
    name: 'a pass notes a database as equal that was replaced meanwhile',
    file: 'src/sync/reconciler.ts',
    edits: [
      ['if (after.primary.identity !== primary.identity) return\n', ''],
      ['if (after.backup.identity !== backup.identity) return\n', ''],
      ["await trust('backup', primary.identity)", "await trust('backup', after.primary.identity)"],
      ["await trust('primary', backup.identity)", "await trust('primary', after.backup.identity)"],
    ],
    tests: RECONCILE,
  },
  {
    name: 'a pass that somebody else began is believed where it had been',
    file: 'src/sync/reconciler.ts',
    edits: [
      [
        'if (options.gentle !== true)\n',
        'if (options.gentle === undefined && begun === undefined)\n',
      ],
    ],
    tests: RECONCILE,
  },
  {
    name: 'after an outage only the usual window is compared',
    file: 'src/sync/reconciler.ts',
    edits: [
      [
        'const sinceMs = Math.min(toMs, note.recentToMs ?? note.fullMs ?? toMs)',
        'const sinceMs = toMs',
      ],
    ],
    tests: RECONCILE,
  },
  {
    name: 'who was overtaken in his work still writes',
    file: 'src/backend/lease.ts',
    edits: [['throw fenced(fence)', 'void fenced']],
    tests: [...RECONCILE, 'src/backend/memory'],
  },
  {
    name: 'a lease is given to two at a time',
    file: 'src/backend/lease.ts',
    edits: [['if (isHeld) return undefined', 'void isHeld']],
    tests: [...RECONCILE, 'src/backend/memory'],
  },
  // ---- caches
  {
    name: 'an entry of an older tag of its key is served',
    file: 'src/strategy/cache/shared-cache.ts',
    edits: [['found?.tag === tag && found.all === all', 'found?.all === all']],
    simulate: CACHED,
  },
  {
    name: 'an entry from before everything was renewed is served',
    file: 'src/strategy/cache/shared-cache.ts',
    edits: [['found?.tag === tag && found.all === all', 'found?.tag === tag']],
    tests: CACHE,
  },
  {
    name: 'a write is acknowledged before readers know that the cache was not told',
    file: 'src/strategy/cache/shared-cache.ts',
    edits: [['await this.#leave()', 'void this.#leave()']],
    tests: CACHE,
  },
  {
    name: 'a writer that has lost the cache does not wait for its warning',
    file: 'src/strategy/cache/shared-cache.ts',
    edits: [['await this.#warning\n      return', 'return']],
    tests: CACHE,
  },
  {
    name: 'what is laid over a cached page brings back what was removed',
    file: 'src/strategy/read/cache-enhanced.ts',
    edits: [['of [...items, ...gone.removed]) mergeItem', 'of items) mergeItem']],
    tests: ['src/strategy/read/cache-enhanced.test.ts'],
  },
  // ---- takeovers
  {
    name: 'what a dead process left in the shared log stays there',
    file: 'src/wal/redis-stream/scripts/read-lua.ts',
    edits: [['if consumer ~= me and left > 0 then', 'if consumer == me and left > 0 then']],
    tests: STREAM,
  },
  {
    name: 'the shared log trims what one of the places lacks',
    file: 'src/wal/redis-stream/scripts/settle-lua.ts',
    edits: [
      [
        "for place in string.gmatch('pb', '.') do\n    local first",
        "for place in string.gmatch('p', '.') do\n    local first",
      ],
    ],
    tests: STREAM,
  },
  {
    name: 'an append to the shared log that is repeated is a second entry',
    file: 'src/wal/redis-stream/scripts/append-lua.ts',
    edits: [["if n then return { 'done', n } end", '']],
    tests: STREAM,
  },
  {
    name: 'the shared log takes a stamp below the last one of its key',
    file: 'src/wal/redis-stream/scripts/append-lua.ts',
    edits: [
      [
        'lasts[#lasts + 1] = last\n',
        "lasts[#lasts + 1] = last\n  if last ~= '' then last = '0' end\n",
      ],
    ],
    tests: STREAM,
  },
  {
    name: 'the log of a dead process is removed before it is copied',
    file: 'src/wal/file/takeover.ts',
    edits: [['await copyLog(env, claimed.path, recovered, log)', 'void copyLog']],
    tests: TAKEOVER,
  },
  {
    name: 'a restart does not look for the log that was left',
    file: 'src/wal/file/log-directory.ts',
    edits: [
      [
        "if (state !== 'unknown') return state !== 'alive'",
        "if (state !== 'unknown') return false",
      ],
    ],
    tests: TAKEOVER,
  },
  {
    name: 'the clock does not start above the ceiling of a log that was taken over',
    file: 'src/wal/file/takeover.ts',
    edits: [['ceilingMs = Math.max(ceilingMs, adopted?.ceilingMs ?? 0)', '']],
    tests: TAKEOVER,
  },
  {
    name: 'a segment goes on being written to after an error',
    file: 'src/wal/file/segments.ts',
    edits: [
      ['await this.giveUp()\n      throw unavailable(`writing to', 'throw unavailable(`writing to'],
    ],
    tests: ['test/fault/file-wal-disk-faults.test.ts'],
  },
  // ---- retention
  {
    name: 'retention keeps the results of a tool call without the call',
    file: 'src/chat/retention/plan-cut.ts',
    edits: [['starts.lastIndexOf(true, looked)', 'looked']],
    tests: ['src/chat/retention/plan-cut.test.ts'],
  },
  {
    name: 'retention clears what is saved meanwhile',
    file: 'src/chat/retention/retention.ts',
    edits: [
      [
        'await branches.deleteThrough(conversationId, cut.through)',
        'await branches.clear(conversationId)',
      ],
    ],
    tests: RETENTION,
  },
  {
    name: 'every process makes the passes of retention',
    file: 'src/chat/retention/retention.ts',
    edits: [['return isDue\n', 'return true\n']],
    tests: RETENTION,
  },
  // ---- windows
  {
    name: 'a window shows tool calls that have no result',
    file: 'src/chat/window/read-window.ts',
    edits: [
      [
        'if (turn === undefined || !turn.isWhole || message.use.leads === true) continue',
        'if (turn === undefined || message.use.leads === true) continue',
      ],
    ],
    tests: WINDOWS,
  },
  {
    name: 'a window is complete whatever its pages say',
    file: 'src/chat/conversation-pages.ts',
    edits: [['this.#complete &&= page.complete', '']],
    tests: WINDOWS,
  },
  {
    name: 'a result that comes late is shown beside the error that stood for it',
    file: 'src/chat/turns/shown-messages.ts',
    edits: [['return isNew || !message.use.onlyResults', 'return true']],
    tests: WINDOWS,
  },
  {
    name: 'tool calls are closed while their results may be where they cannot be read',
    file: 'src/chat/turns/dangling-tool-calls.ts',
    edits: [['if (due.length > 0 && !complete) {', 'if (due.length < 0) {']],
    tests: WINDOWS,
  },
  {
    name: 'an aligned page begins with a result of the call before it',
    file: 'src/chat/turns/aligned-page.ts',
    edits: [['while (cut > 0 && !isGood(cut)) cut--', '']],
    tests: ['src/chat/turns/aligned-page.test.ts'],
  },
  // ---- tenants
  {
    name: 'a tenant erases conversations of others',
    file: 'src/chat/chat-history.ts',
    edits: [
      [
        'const prefixes = SPACES.map((space) => tenantPrefix(tenant, space))',
        'const prefixes = SPACES.map((space) => tenantPrefix(tenant, space).slice(0, -1 - tenant.length))',
      ],
    ],
    tests: TENANTS,
  },
  {
    name: 'a session token of another tenant is taken',
    file: 'src/chat/session-token.ts',
    edits: [['if (session?.tenant !== tenant) throw', 'if (session === undefined) throw']],
    tests: TENANTS,
  },
  {
    name: 'retention cuts the conversations of all tenants',
    file: 'src/chat/retention/retention.ts',
    edits: [
      ['prefix: tenantPrefix(tenant), limit', "prefix: 'chat/', limit"],
      [
        'const id = parseConversationKey(key)!.conversationId',
        'const id = parseConversationKey(key)!.conversationId\n        this.#parts.tenant = parseConversationKey(key)!.tenant',
      ],
      [
        'const { env, store, tenant, options } = this.#parts',
        'const { env, store, options } = this.#parts',
      ],
    ],
    tests: TENANTS,
  },
  // ---- what comes from outside
  {
    name: 'a page of a proxy is the answer of the S3 server',
    file: 'src/backend/s3/protocol/client.ts',
    edits: [['if (hasRoot(xml, root)) return xml', 'if (root !== "") return xml']],
    tests: ['src/backend/s3/protocol/client.test.ts'],
  },
  {
    name: 'a failure after a try that may have had its effect says that there is none',
    file: 'src/backend/s3/protocol/client.ts',
    edits: [['throw withEffect(error, effect)', 'throw withEffect(error, "none")']],
    tests: ['src/backend/s3/protocol/client.test.ts'],
  },
  {
    name: 'a password is taken out of the names of hosts',
    file: 'src/core/redact.ts',
    edits: [['(?:${any})(?![\\w-]|\\.\\w)`', '(?:${any})`']],
    tests: ['src/core/redact.test.ts'],
  },
  {
    name: 'a hint goes although the log lost what the primary lacks',
    file: 'src/strategy/replica-monitor.ts',
    edits: [[" || this.#suspect.has('primary')", '']],
    tests: ['test/fault/redis-stream.test.ts'],
  },
  {
    name: 'a log does not say that it lost entries for good',
    file: 'src/wal/redis-stream/open-stream.ts',
    edits: [['if (lacking.size > 0) this.#options.onForgotten([...lacking])', '']],
    tests: ['test/fault/redis-stream.test.ts'],
  },
  {
    name: 'the first save is late by what a probe took',
    file: 'src/strategy/hedge-delay.ts',
    edits: [['Math.max(coldMs, hedge', 'Math.min(coldMs, hedge']],
    tests: ['test/store/first-save.test.ts'],
  },
  {
    name: 'a log that opens after its start has failed stays open',
    file: 'src/store/store-core.ts',
    edits: [['if (!this.#hasLog) return await log.close()', '']],
    tests: ['test/store/log-opens-late.test.ts'],
  },
  {
    name: 'a start that is repeated takes a closed log for open',
    file: 'src/store/store-core.ts',
    edits: [['this.#hasLog = this.#logOpen = false', 'this.#hasLog = false']],
    tests: ['test/store/log-opens-late.test.ts'],
  },
  {
    name: 'a wrong password opens like an outage',
    file: 'src/store/start-outcome.ts',
    edits: [['=> isPermanent(error))', '=> !isPermanent(error))']],
    tests: ['src/store/start-outcome.test.ts'],
  },
  {
    name: 'a replay brings stamps that no clock can follow',
    file: 'src/cli/wal/read-logs.ts',
    edits: [
      ["checkStamp('stamp', operation.stamp)", ''],
      ["checkStamp('position', operation.position)", ''],
    ],
    tests: ['src/cli/wal/replay-logs.test.ts'],
  },
  {
    name: 'SQLite commits without a sync',
    file: 'src/backend/sqlite/connection/open-connection.ts',
    edits: [['PRAGMA synchronous = FULL', 'PRAGMA synchronous = NORMAL']],
    tests: ['src/backend/sqlite/connection/settings.test.ts'],
  },
  {
    name: 'a SQLite file is opened and closed beside SQLite',
    file: 'src/backend/sqlite/connection/database-file.ts',
    edits: [
      [
        'if (found !== undefined && found.nlink > 1) removeFirstName(path, found.ino)',
        "closeSync(openSync(path, 'a', FILE_MODE))",
      ],
    ],
    tests: ['src/backend/sqlite/connection/settings.test.ts'],
  },
  {
    name: 'a second SQLite library may open a file that one has open',
    file: 'src/backend/sqlite/connection/open-files.ts',
    edits: [['if (file.library !== library) {', 'if (library === undefined) {']],
    tests: ['src/backend/sqlite/connection/open-files.test.ts'],
  },
]
