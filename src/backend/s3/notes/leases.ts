import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'
import { awakeSleep } from '../../../core/keep-alive.ts'
import { backoffMs } from '../../../core/time.ts'
import { checkFence, grantLease, leaseOf, type StoredLease } from '../../lease.ts'
import type { Lease, LeaseFence, LeaseRequest } from '../../replica-backend.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import { numberIn, type Layout } from '../key/layout.ts'
import { COMMITS_MAX, SUPERSEDED_MS_MIN } from '../protocol/limits.ts'
import { decodeObject, encodeObject } from '../key/object-format.ts'
import type { ListedObject } from '../protocol/xml.ts'

interface StoredNote {
  /** 0 when nobody ever held it. */
  readonly number: number
  readonly lease: StoredLease | undefined
  readonly objects: readonly ListedObject[]
}

/**
 * Leases as numbered objects of which the newest counts, each created where there is none: of two
 * that ask at once one is told to look again. By the server's clock, which it tells in whole seconds.
 *
 * Not promised: that what is fenced is refused when the lease is taken over in the moment between
 * the look at it and the write. S3 has no step that does both.
 */
export class LeaseStore {
  readonly #env: Env
  readonly #client: S3Client
  readonly #layout: Layout

  constructor(env: Env, client: S3Client, layout: Layout) {
    this.#env = env
    this.#client = client
    this.#layout = layout
  }

  async ask(request: LeaseRequest, call: S3Call): Promise<Lease | undefined> {
    for (let attempt = 0; attempt < COMMITS_MAX; attempt++) {
      const signedAtMs = this.#env.now()
      const { number, lease, objects } = await this.#read(request.name, call)
      const granted = grantLease(lease, request, this.#client.serverNow())
      if (granted === undefined) return undefined
      const nonce = Buffer.from(this.#env.randomBytes(12)).toString('hex')
      const body = encodeObject('lease', { ...granted, nonce })
      const name = this.#layout.lease(request.name, number + 1)
      if (await this.#client.create(name, body, call, signedAtMs)) {
        await this.#removeOld(objects, call)
        return leaseOf(granted)
      }
      await awakeSleep(
        this.#env,
        backoffMs(this.#env, attempt, { firstMs: 5, maxMs: 500 }),
        call.signal,
      )
    }
    throw new StorageError('OVERLOADED', `S3: too many ask for the lease ${request.name}`)
  }

  async check(fence: LeaseFence | undefined, call: S3Call): Promise<void> {
    if (fence === undefined) return
    const { lease } = await this.#read(fence.name, call)
    checkFence(fence, () => lease?.token)
  }

  async #read(name: string, call: S3Call): Promise<StoredNote> {
    const { objects } = await this.#client.list(this.#layout.leases(name), {}, call)
    const [newest] = objects
    if (newest === undefined) return { number: 0, lease: undefined, objects }
    const bytes = await this.#client.get(newest.name, call)
    if (bytes === undefined) return await this.#read(name, call)
    const lease = decodeObject('lease', newest.name, bytes) as StoredLease
    return { number: numberIn(newest.name), lease, objects }
  }

  /** Names stay taken as long as those of versions do, for the same reason. */
  async #removeOld(objects: readonly ListedObject[], call: S3Call): Promise<void> {
    const old = objects.filter(({ modifiedMs }, i) => {
      return i > 0 && this.#client.serverNow() - modifiedMs > SUPERSEDED_MS_MIN
    })
    await this.#client.delete(
      old.map(({ name }) => name),
      call,
    )
  }
}
