import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { EntryState } from '../entry-table.ts'
import type { Lsn } from '../wal.ts'
import { encodeGroup, payloadBytesMax } from './codec.ts'
import { FRAME_ALIGNMENT, FRAME_HEADER_BYTES, sealFrame } from './frame.ts'
import { GROUP_APPENDS_MAX, GROUP_BYTES } from './limits.ts'

const FIRST_BYTES = 64 * 1024

/** One append that waits for its group to be on disk. */
export interface Append {
  readonly lsn: Lsn
  readonly keys: readonly string[]
  readonly operations: readonly Operation[]
  readonly primary: EntryState
  readonly backup: EntryState
  /** Of its frame, within the group. */
  readonly offset: number
  readonly bytes: number
  readonly resolve: (lsn: Lsn) => void
  readonly reject: (error: Error) => void
}

export type NewAppend = Pick<
  Append,
  'keys' | 'operations' | 'primary' | 'backup' | 'resolve' | 'reject'
>

/** Appends that go to disk with one write and one sync, encoded when they arrive. */
export class CommitGroup {
  readonly firstLsn: Lsn
  readonly appends: Append[] = []
  /** The greatest stamp, or ''. */
  head: Stamp | '' = ''
  readonly #salt: number
  #buffer: Buffer
  #used = 0

  constructor(firstLsn: Lsn, salt: number, buffer: Buffer = Buffer.allocUnsafe(FIRST_BYTES)) {
    this.firstLsn = firstLsn
    this.#salt = salt
    this.#buffer = buffer
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used)
  }

  /** The whole buffer, for the next group. */
  get buffer(): Buffer {
    return this.#buffer
  }

  get used(): number {
    return this.#used
  }

  isFull(): boolean {
    return this.#used >= GROUP_BYTES || this.appends.length >= GROUP_APPENDS_MAX
  }

  /** Encodes the append behind the others. A refusal leaves the group as it was. */
  add(append: NewAppend, lacking: number): void {
    const { operations, keys } = append
    const start = this.#used
    const payloadStart = start + FRAME_HEADER_BYTES
    this.#reserve(payloadStart + payloadBytesMax(operations, keys) + FRAME_ALIGNMENT)
    const payloadEnd = encodeGroup(this.#buffer, payloadStart, operations, keys)
    const indexInGroup = this.appends.length
    const lsn = this.firstLsn + indexInGroup
    const end = sealFrame(
      this.#buffer,
      start,
      payloadEnd,
      { lsn, indexInGroup, lacking },
      this.#salt,
    )
    this.#used = end
    for (const { stamp } of operations) if (stamp > this.head) this.head = stamp
    this.appends.push({
      lsn,
      keys,
      operations,
      primary: append.primary,
      backup: append.backup,
      offset: start,
      bytes: end - start,
      resolve: append.resolve,
      reject: append.reject,
    })
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.byteLength) return
    const grown = Buffer.allocUnsafe(Math.max(bytes, this.#buffer.byteLength * 2))
    this.#buffer.copy(grown, 0, 0, this.#used)
    this.#buffer = grown
  }
}
