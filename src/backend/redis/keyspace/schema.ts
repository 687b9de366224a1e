import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'
import type { RedisCaller } from '../connection/caller.ts'
import { replyCode } from '../connection/redis-error.ts'
import { CLUSTER_SHARDS, INDEX_PARTS, Layout } from './layout.ts'
import type { RedisRouter } from '../connection/router.ts'
import { IDENTIFY } from '../scripts/identify-11.ts'
import { OPEN } from '../scripts/open-7.ts'
import { RECORD_FORMAT, upgradeShard } from './upgrade.ts'

/** Rounds until all shards must agree: others may be making the database at the same time. */
const ROUNDS_MAX = 20

/** The database as it was found, on the connections of one epoch. */
export interface OpenDatabase {
  readonly identity: string
  readonly layout: Layout
  readonly epoch: number
}

interface ShardMeta {
  readonly identity: string | undefined
  readonly state: string
  /** Undefined where the meta, or that part of it, is not there. */
  readonly shards: number | undefined
  readonly writes: number
  /** Changes when this run of the server was first seen. */
  readonly base: number
  readonly run: string
  /** The name of something that is noted besides messages and is missing. */
  readonly lost: string | undefined
  readonly format: string | undefined
}

/** The last that a shard acknowledged to this process. */
interface Seen {
  readonly identity: string
  readonly run: string
  readonly writes: number
}

/**
 * Makes a database and knows whether it is still the one it was. All shards carry one identity; that
 * of shard 0 decides. When a shard has lost its data, or acknowledged changes that it does not have
 * any more (a restart of a server that syncs once a second, a failover), the database gets a new
 * identity: that is how all who hold the lost changes elsewhere learn that they must send them again.
 */
export class RedisSchema {
  readonly #env: Env
  readonly #router: RedisRouter
  readonly #caller: RedisCaller
  readonly #prefix: string
  readonly #shards: number
  /** For names only: how many shards there are is not known yet. */
  readonly #layout: Layout
  readonly #seen = new Map<number, Seen>()

  constructor(
    env: Env,
    router: RedisRouter,
    caller: RedisCaller,
    prefix: string,
    shards: number | undefined,
  ) {
    this.#env = env
    this.#router = router
    this.#caller = caller
    this.#prefix = prefix
    this.#layout = new Layout(prefix, 1)
    this.#shards = shards ?? (router.isCluster ? CLUSTER_SHARDS : 1)
  }

  /** Finds or makes the database. Idempotent, and safe beside others who do the same. */
  async open(): Promise<OpenDatabase> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const { epoch } = this.#router
      const home = await this.#look(0)
      // Another shard knows it too, should the first one have lost its meta.
      const count = home.shards ?? (await this.#look(1)).shards ?? this.#shards
      if (home.identity === undefined) {
        await this.#identify(0, '', this.#newIdentity(), 'making', count)
        continue
      }
      const layout = new Layout(this.#prefix, count)
      if (home.state === 'making') {
        await this.#finish(layout, home.identity)
        continue
      }
      const others = Array.from(
        { length: layout.shards - 1 },
        async (_, i) => await this.#look(i + 1),
      )
      const shards = [home, ...(await Promise.all(others))]
      const why = this.#damage(shards, home.identity)
      if (why === undefined) {
        if (!(await this.#upgrade(layout, home.identity, shards))) continue
        return { identity: home.identity, layout, epoch }
      }
      await this.replace({ identity: home.identity, layout }, why)
    }
    throw new StorageError('UNAVAILABLE', 'Redis: the shards have different identities')
  }

  /** Gives the database a new identity, unless somebody else has; it is to be opened again then. */
  async replace(
    { identity, layout }: Pick<OpenDatabase, 'identity' | 'layout'>,
    why: string,
  ): Promise<void> {
    this.#env.logger.warn({ identity }, `Redis: ${why}; it gets a new identity`)
    await this.#identify(0, identity, this.#newIdentity(), 'making', layout.shards)
  }

  /** A shard has acknowledged its changes up to this one. */
  acknowledged(shard: number, identity: string, writes: number): void {
    if (writes === 0) return
    const seen = this.#seen.get(shard)
    const isSame = seen?.identity === identity
    if (isSame && seen.writes >= writes) return
    const run = isSame ? seen.run : this.#runOf(shard)
    this.#seen.set(shard, { identity, run, writes })
  }

  #damage(shards: readonly ShardMeta[], identity: string): string | undefined {
    for (const [shard, meta] of shards.entries()) {
      if (meta.identity !== identity) return `shard ${shard} has lost its data`
      if (meta.lost !== undefined) return `${meta.lost} has lost something`
      const seen = this.#seen.get(shard)
      if (seen?.identity === identity) {
        const kept = seen.run === meta.run ? meta.writes : meta.base
        if (kept < seen.writes) return `shard ${shard} has lost changes that it had acknowledged`
      }
      this.#seen.set(shard, { identity, run: meta.run, writes: meta.writes })
    }
    return undefined
  }

  /**
   * Before anything is read: records of an earlier format are not understood any more. False when the
   * database has changed meanwhile.
   */
  async #upgrade(layout: Layout, identity: string, shards: readonly ShardMeta[]): Promise<boolean> {
    for (const { format } of shards) refuseNewer(format)
    try {
      for (const [shard, { format }] of shards.entries()) {
        if (format !== RECORD_FORMAT) await upgradeShard(this.#caller, layout, shard, identity)
      }
      return true
    } catch (error) {
      if (replyCode(error) !== 'IDENTITY' && replyCode(error) !== 'TRYAGAIN') throw error
      return false
    }
  }

  async #finish(layout: Layout, identity: string): Promise<void> {
    const others = Array.from({ length: layout.shards - 1 }, async (_, i) => {
      await this.#identify(i + 1, '*', identity, 'ready', layout.shards)
    })
    await Promise.all(others)
    await this.#identify(0, identity, identity, 'ready', layout.shards)
  }

  async #look(shard: number): Promise<ShardMeta> {
    const keys = this.#layout.noteKeys(shard)
    const run = this.#runOf(shard)
    const reply = await this.#caller.run({ script: OPEN, keys, args: [run], writes: false })
    const [identity, state, shards, writes, base, lost, format] = reply as readonly (
      string | null
    )[]
    return {
      identity: identity ?? undefined,
      state: state ?? 'ready',
      shards: shards === null || shards === undefined ? undefined : Number(shards),
      writes: Number(writes),
      base: Number(base),
      run,
      lost: lost === '' ? undefined : (lost ?? undefined),
      format: format ?? undefined,
    }
  }

  async #identify(
    shard: number,
    expected: string,
    identity: string,
    state: string,
    shards: number,
  ): Promise<void> {
    const args = [expected, identity, state, String(shards)]
    const parts = INDEX_PARTS.map((part) => this.#layout.part(shard, part))
    const keys = [...this.#layout.noteKeys(shard), ...parts]
    await this.#caller.run({ script: IDENTIFY, keys, args, writes: false })
  }

  #runOf(shard: number): string {
    return this.#router.runIdOf(this.#layout.meta(shard))
  }

  #newIdentity(): string {
    return Buffer.from(this.#env.randomBytes(16)).toString('hex')
  }
}

/** What a newer release wrote is not understood, and must not be marked as ours. */
function refuseNewer(format: string | undefined): void {
  if (format === undefined || Number(format) <= Number(RECORD_FORMAT)) return
  const text = `the Redis database is of a newer release: format ${format}, known is ${RECORD_FORMAT}`
  throw new StorageError('UNSUPPORTED', text)
}
