import type { Env } from '../../../core/env.ts'
import { messageOf, StorageError } from '../../../core/errors.ts'
import type { KeyState } from '../../../core/merge.ts'
import type { Operation } from '../../../core/operation.ts'
import { awakeSleep } from '../../../core/keep-alive.ts'
import { backoffMs } from '../../../core/time.ts'
import type { BatchCall } from '../../batcher.ts'
import type { Judged } from '../../key-states.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import { compact, holdsDead, isTailFull, type Compacted } from './compaction.ts'
import { changeKey, repairKey, tailOf, type KeyChange } from './key-change.ts'
import { scrubJournals } from './journal.ts'
import { missingObject, ReplacedError, type KeyReader, type LoadedKey } from './key-reader.ts'
import { numberIn, type Layout } from './layout.ts'
import {
  COMMITS_MAX,
  KEYS_AT_ONCE,
  REREADS_MAX,
  SUPERSEDED_MS_MIN,
  VIEW_AGE_MS_MAX,
} from '../protocol/limits.ts'
import { mapLimited } from '../protocol/semaphore.ts'
import { summaryOf } from './summary.ts'
import { encodeVersion, ERASED, type Version } from './version.ts'

export interface KeyWriterOptions {
  readonly env: Env
  readonly client: S3Client
  readonly layout: Layout
  readonly reader: KeyReader
}

/**
 * Adds versions to keys. The calls of a batch become one version, and one that changes nothing
 * becomes none. What it answers was true while the call ran: either the version it was judged on was
 * still the newest when the next one was created, or it was read during the call.
 */
export class KeyWriter {
  readonly #options: KeyWriterOptions

  constructor(options: KeyWriterOptions) {
    this.#options = options
  }

  /** Answers each call. Of one key, one at a time: the caller sees to that. */
  async write(key: string, calls: readonly BatchCall[], call: S3Call): Promise<readonly Judged[]> {
    const { env } = this.#options
    let isFresh = false
    let replaced = 0
    for (let attempt = 0; attempt < COMMITS_MAX; attempt++) {
      try {
        const answers = await this.#attempt(key, calls, isFresh, call)
        if (answers !== undefined) return answers
      } catch (error) {
        if (!(error instanceof ReplacedError)) throw error
        if (++replaced >= REREADS_MAX) throw missingObject(error.object)
      }
      if (isFresh) {
        await awakeSleep(env, backoffMs(env, attempt, { firstMs: 5, maxMs: 500 }), call.signal)
      }
      isFresh = true
    }
    throw new StorageError('OVERLOADED', `S3: too many writers of key ${key} at once`)
  }

  /** Writes values over damaged ones; returns how many. */
  async repair(key: string, operations: readonly Operation[], call: S3Call): Promise<number> {
    const { env, reader } = this.#options
    for (let attempt = 0; attempt < COMMITS_MAX; attempt++) {
      const signedAtMs = env.now()
      const view = await reader.load(key, call)
      const { written, ...repaired } = repairKey(view.state, operations)
      if (written === 0) return 0
      const change = { ...repaired, answers: [], changed: true, erases: false }
      if (await this.#commit(key, view, change, signedAtMs, call)) return written
      await awakeSleep(env, backoffMs(env, attempt, { firstMs: 5, maxMs: 500 }), call.signal)
    }
    throw new StorageError('OVERLOADED', `S3: too many writers of key ${key} at once`)
  }

  /**
   * Begins a key anew with this state, on top of a version that cannot be read; false when that is not the
   * newest any more. `garbage` are last parts of names that stand for nothing then.
   */
  async renew(
    key: string,
    number: number,
    state: KeyState,
    garbage: readonly string[],
    call: S3Call,
  ): Promise<boolean> {
    const { env, client, layout, reader } = this.#options
    const signedAtMs = env.now()
    const { written, ...compacted } = await compact(
      { reader, client, layout },
      key,
      state,
      undefined,
      false,
      call,
    )
    const summary = summaryOf(key, compacted.state)
    const next = { key, number: number + 1, ...compacted, summary, garbage, erases: false }
    const { state: kept, ...version } = next
    const nonce = Buffer.from(env.randomBytes(12)).toString('hex')
    const checkedAt = reader.now()
    const name = layout.version(key, version.number)
    if (!(await client.create(name, encodeVersion(version, nonce), call, signedAtMs))) {
      await this.#removeValues(key, written, call)
      return false
    }
    reader.remember(version, kept, checkedAt)
    await this.#cleanUpAfter(key, version, call)
    return true
  }

  /** The answers; undefined when it has to be tried again on what stands now. */
  async #attempt(
    key: string,
    calls: readonly BatchCall[],
    mustBeFresh: boolean,
    call: S3Call,
  ): Promise<readonly Judged[] | undefined> {
    const { env, reader } = this.#options
    // Before the age of the view is looked at: what is signed now, but arrives too late to be a
    // version on top of that view, is refused by the server.
    const signedAtMs = env.now()
    const startedAt = reader.now()
    const view = await reader.load(key, call, mustBeFresh ? 0 : VIEW_AGE_MS_MAX)
    const isFresh = mustBeFresh || view.checkedAt >= startedAt
    const change = changeKey(await this.#withExisting(key, view, calls, call), calls)
    const isPlain = change.answers.every(({ applied }) =>
      applied.every(({ outcome }) => outcome === 'applied'),
    )
    if (!isFresh && (!change.changed || !isPlain)) return undefined
    if (!change.changed) {
      await this.cleanUp(key, view.version, call)
      return change.answers
    }
    return (await this.#commit(key, view, change, signedAtMs, call)) ? change.answers : undefined
  }

  /** Removes what a version made superfluous, if somebody died before he had. */
  async cleanUp(key: string, version: Version | undefined, call: S3Call): Promise<void> {
    if (version === undefined) return
    if (!version.erases && version.garbage.length === 0) return
    const { reader, client, layout } = this.#options
    const state = await reader.stateOf(key, version, call)
    if (version.erases) {
      await scrubJournals(client, layout, key, state, call)
      await this.#overwriteEarlier(version, call)
    }
    await this.#removeValues(key, version.garbage, call)
    reader.remember({ ...version, erases: false, garbage: [] }, state, reader.now())
  }

  async #commit(
    key: string,
    view: LoadedKey,
    change: KeyChange,
    signedAtMs: number,
    call: S3Call,
  ): Promise<boolean> {
    const { env, client, layout, reader } = this.#options
    const { next, state, written } = await this.#prepare(key, view, change, call)
    const nonce = Buffer.from(env.randomBytes(12)).toString('hex')
    const checkedAt = reader.now()
    await env.failpoints.hit('s3.beforeCommit')
    const name = layout.version(key, next.number)
    const stands = await client.create(name, encodeVersion(next, nonce), call, signedAtMs)
    if (!stands) {
      if (written.length > 0) await this.#removeValues(key, written, call)
      return false
    }
    reader.remember(next, state, checkedAt)
    await env.failpoints.hit('s3.afterCommit')
    await this.#cleanUpAfter(key, next, call)
    return true
  }

  /** Not acknowledged before what was erased is gone, too; anything else can wait. */
  async #cleanUpAfter(key: string, next: Version, call: S3Call): Promise<void> {
    try {
      await this.cleanUp(key, next, call)
    } catch (error) {
      const text = `S3: key ${key}: what is superfluous could not be removed: ${messageOf(error)}`
      this.#options.env.logger.debug({ error: text }, 'S3: objects are left for the next write')
      if (!next.erases) return
      throw new StorageError('UNAVAILABLE', text, { effect: 'unknown', cause: error })
    }
  }

  async #prepare(
    key: string,
    { version, number }: LoadedKey,
    { state, erases, touched }: KeyChange,
    call: S3Call,
  ): Promise<{ next: Version; state: LoadedKey['state']; written: readonly string[] }> {
    const { client, layout, reader } = this.#options
    const isEarlier = version?.isEarlier === true
    // Before the version is offered: who is compacting on top of an earlier one will be refused.
    const existing = erases || isEarlier ? await this.#valuesOf(key, call) : []
    const tail = tailOf(key, state, version, touched)
    const segments = version?.segments ?? []
    const mustCompact = isEarlier || isTailFull(tail) || (erases && holdsDead(segments, key, state))
    let compacted: Compacted | undefined
    if (mustCompact) {
      await this.#removeOrphans(key, version, call)
      compacted = await compact({ reader, client, layout }, key, state, version, erases, call)
    }
    const base = mustCompact ? compacted!.base : version?.base
    const kept = compacted?.segments ?? segments
    const named = new Set([base, ...kept.map(({ name }) => name)])
    const left = [...(version?.garbage ?? []), ...(compacted?.garbage ?? []), ...existing]
    const garbage = [...new Set(left)].filter((name) => !named.has(name))
    const next: Version = {
      key,
      number: number + 1,
      ...(base !== undefined && { base }),
      segments: kept,
      tail: compacted?.tail ?? tail,
      summary: summaryOf(key, state),
      garbage,
      erases: erases || isEarlier || version?.erases === true,
    }
    return { next, state: compacted?.state ?? state, written: compacted?.written ?? [] }
  }

  /**
   * The state with the values of the items whose ids are to be judged: whether an id stands with
   * the same content is told by the content.
   */
  async #withExisting(
    key: string,
    { state }: LoadedKey,
    calls: readonly BatchCall[],
    call: S3Call,
  ): Promise<LoadedKey['state']> {
    const { reader } = this.#options
    const ids = calls.flatMap(({ operations, decide, unique }) =>
      decide && unique
        ? operations.flatMap((operation) => (operation.kind === 'put' ? [operation.id] : []))
        : [],
    )
    const existing = ids.flatMap((id) => state.items.get(id) ?? [])
    if (existing.length === 0) return state
    const items = new Map(state.items)
    for (const item of await reader.withValues(key, existing, call)) items.set(item.id, item)
    return { ...state, items }
  }

  /**
   * Overwrites the earlier versions of a key, which hold what was erased; old ones are removed. The
   * names of young ones stay taken, so that nobody adds a version below the newest.
   */
  async #overwriteEarlier({ key, number }: Version, call: S3Call): Promise<void> {
    const { client, layout } = this.#options
    const folder = layout.versions(key)
    let startAfter = layout.version(key, number)
    let newerMs = client.serverNow()
    for (;;) {
      const { objects, isTruncated } = await client.list(folder, { startAfter }, call)
      const old: string[] = []
      const young: string[] = []
      for (const { name, bytes, modifiedMs } of objects) {
        if (client.serverNow() - newerMs > SUPERSEDED_MS_MIN) old.push(name)
        else if (bytes !== ERASED.byteLength && numberIn(name) < number) young.push(name)
        newerMs = modifiedMs
      }
      await mapLimited(young, KEYS_AT_ONCE, (name) => client.put(name, ERASED, call))
      await client.delete(old, call)
      if (!isTruncated) return
      startAfter = objects.at(-1)!.name
    }
  }

  /** Whatever stands of a key's values, also what a process left that died while it compacted. */
  async #valuesOf(key: string, call: S3Call): Promise<string[]> {
    const { client, layout } = this.#options
    const folder = layout.values(key)
    const names: string[] = []
    for (;;) {
      const last = names.at(-1)
      const options = last === undefined ? {} : { startAfter: folder + last }
      const { objects, isTruncated } = await client.list(folder, options, call)
      names.push(...objects.map(({ name }) => name.slice(folder.length)))
      if (!isTruncated) return names
    }
  }

  async #removeValues(key: string, names: readonly string[], call: S3Call): Promise<void> {
    const { client, layout } = this.#options
    await client.delete(
      names.map((name) => layout.values(key) + name),
      call,
    )
  }

  /** What a process left that died while it compacted: old, and named by no version. */
  async #removeOrphans(key: string, version: Version | undefined, call: S3Call): Promise<void> {
    const { client, layout } = this.#options
    const folder = layout.values(key)
    const named = new Set([version?.base, ...(version?.segments ?? []).map(({ name }) => name)])
    const { objects } = await client.list(folder, {}, call)
    const orphans = objects.filter(
      ({ name, modifiedMs }) =>
        !named.has(name.slice(folder.length)) &&
        client.serverNow() - modifiedMs > SUPERSEDED_MS_MIN,
    )
    await client.delete(
      orphans.map(({ name }) => name),
      call,
    )
  }
}
