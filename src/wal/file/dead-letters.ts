/*
 * Entries that a place refuses for good: the file "dead-letters.log". A segment header with its own
 * magic, then frames as in a segment, each synced before it counts. Their payload is
 *
 *   1   place: 1 the primary, 2 the backup
 *   8   time, Unix milliseconds, as a double
 *   2   length of the reason, then its text
 *   n   payload of the entry
 *
 * A letter whose entry the place has acknowledged since (`meta.ts`) counts no more. The file is
 * written anew, beside the old one and renamed over it, when it is damaged at its end, after an
 * error, and when much of it counts no more.
 */
import { join } from 'node:path'
import type { DiskFile } from '../../core/disk.ts'
import type { Env } from '../../core/env.ts'
import { messageOf, StorageError } from '../../core/errors.ts'
import type { ThroughOf } from '../../core/erase.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import type { Lsn } from '../wal.ts'
import { decodeGroup } from './codec.ts'
import { corrupt } from './corrupt.ts'
import { erasePayload } from './erase-payload.ts'
import {
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  frameBytes,
  readFrame,
  sealFrame,
  type Frame,
} from './frame.ts'
import { DEAD_BYTES_SLACK, REASON_LENGTH_MAX } from './limits.ts'
import { scanFrames, findLaterWrite } from './scan.ts'
import {
  DEAD_LETTERS_MAGIC,
  decodeHeader,
  encodeHeader,
  SEGMENT_HEADER_BYTES,
} from './segment-header.ts'
import { writeAll } from './spare.ts'

export const DEAD_LETTERS_NAME = 'dead-letters.log'
export const DEAD_LETTERS_TEMPORARY = 'dead-letters.tmp'

export interface DeadLetter {
  readonly place: DatabasePlace
  readonly lsn: Lsn
  readonly atMs: number
  readonly reason: string
}

interface Kept extends DeadLetter {
  readonly offset: number
  readonly bytes: number
}

/** Where the payload of a letter's entry stands in a buffer. */
type Payload = Pick<Frame, 'payloadStart' | 'payloadEnd'>

interface OpenFile {
  readonly file: DiskFile
  readonly salt: number
  end: number
  /** Nothing is appended after an error or a torn end. */
  usable: boolean
}

type Letters = Record<DatabasePlace, Map<Lsn, Kept>>

const PLACE_CODES: Readonly<Record<DatabasePlace, number>> = { primary: 1, backup: 2 }

export class DeadLetters {
  readonly #env: Env
  readonly #directory: string
  readonly #writer: string
  readonly #letters: Letters
  #open: OpenFile | undefined
  #deadBytes = 0
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(
    env: Env,
    directory: string,
    writer: string,
    letters: Letters,
    open: OpenFile | undefined,
  ) {
    this.#env = env
    this.#directory = directory
    this.#writer = writer
    this.#letters = letters
    this.#open = open
  }

  /** Reads the file where there is one; changes nothing. */
  static async recover(
    env: Env,
    directory: string,
    writer: string,
    names: ReadonlySet<string>,
  ): Promise<DeadLetters> {
    const letters: Letters = { primary: new Map(), backup: new Map() }
    if (!names.has(DEAD_LETTERS_NAME)) {
      return new DeadLetters(env, directory, writer, letters, undefined)
    }
    const path = join(directory, DEAD_LETTERS_NAME)
    const file = await env.disk.open(path, 'open')
    try {
      const open = await scanLetters(file, path, (letter) => {
        letters[letter.place].set(letter.lsn, letter)
      })
      return new DeadLetters(env, directory, writer, letters, open)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Letters that count. */
  get size(): number {
    return this.#letters.primary.size + this.#letters.backup.size
  }

  get(place: DatabasePlace, lsn: Lsn): DeadLetter | undefined {
    return this.#letters[place].get(lsn)
  }

  all(): readonly DeadLetter[] {
    return [...this.#letters.primary.values(), ...this.#letters.backup.values()]
  }

  /** The entries with a letter, in order. */
  lsns(): readonly Lsn[] {
    const all = new Set([...this.#letters.primary.keys(), ...this.#letters.backup.keys()])
    return [...all].sort((a, b) => a - b)
  }

  /** The place has the entry after all, and that is on disk. */
  settle(place: DatabasePlace, lsn: Lsn): void {
    const letter = this.#letters[place].get(lsn)
    if (letter === undefined) return
    this.#letters[place].delete(lsn)
    this.#deadBytes += letter.bytes
  }

  /** Resolves when the letter is on disk. `payload` is the entry's. */
  async add(letter: DeadLetter, payload: Buffer): Promise<void> {
    const done = this.#queue.then(async () => await this.#write(letter, payload))
    this.#queue = done.catch(() => undefined)
    try {
      await done
    } catch (error) {
      throw new StorageError('UNAVAILABLE', `a dead letter was not kept: ${messageOf(error)}`, {
        effect: 'unknown',
        place: 'wal',
        cause: error,
      })
    }
  }

  async read(lsn: Lsn): Promise<readonly Operation[]> {
    const payload = await this.readPayload(lsn)
    return decodeGroup(payload, 0)
  }

  /**
   * Writes the letters anew, so that they are on disk for certain: those of a process that died may
   * be in the page cache only, and their segments may go on the strength of them. Where none counts
   * any more nothing is appended behind them: what is lost of them would look like damage.
   */
  async secure(): Promise<void> {
    if (this.size > 0) await this.#rewrite()
    else if (this.#open !== undefined) this.#open.usable = false
  }

  /** Writes the letters anew without these payloads, and without those that count no more. */
  async erase(throughOf: ThroughOf): Promise<void> {
    const done = this.#queue.then(async () => {
      if (this.#open === undefined) return
      await this.#rewrite(
        undefined,
        (payload) => erasePayload(payload, 0, payload.byteLength, throughOf) ?? payload,
      )
    })
    this.#queue = done.catch(() => undefined)
    await done
  }

  /** The payload of an entry that has a letter. */
  async readPayload(lsn: Lsn): Promise<Buffer> {
    // Not while the file is being replaced: the offset belongs to the one that is open then.
    const read = this.#queue.then(async () => {
      const letter = this.#letters.primary.get(lsn) ?? this.#letters.backup.get(lsn)
      if (letter === undefined || this.#open === undefined) {
        throw new StorageError('NOT_FOUND', `entry ${lsn} has no dead letter`, { place: 'wal' })
      }
      return await readPayload(this.#open, this.#path(), letter)
    })
    this.#queue = read.catch(() => undefined)
    return await read
  }

  async close(): Promise<void> {
    await this.#queue
    await this.#open?.file.close()
    this.#open = undefined
  }

  async #write(letter: DeadLetter, payload: Buffer): Promise<void> {
    const open = this.#open
    const live = open === undefined ? 0 : open.end - this.#deadBytes
    if (open?.usable === true && this.#deadBytes <= live + DEAD_BYTES_SLACK) {
      try {
        this.#letters[letter.place].set(letter.lsn, await append(open, letter, payload))
        return
      } catch (error) {
        // Fail-stop, as with segments: the file is written anew.
        open.usable = false
        this.#env.logger.warn({ error: messageOf(error) }, 'the dead letters are written anew')
      }
    }
    await this.#rewrite({ letter, payload })
  }

  async #rewrite(
    extra?: { readonly letter: DeadLetter; readonly payload: Buffer },
    change: (payload: Buffer) => Buffer = (payload) => payload,
  ): Promise<void> {
    const { disk } = this.#env
    const temporary = join(this.#directory, DEAD_LETTERS_TEMPORARY)
    const letters: Letters = { primary: new Map(), backup: new Map() }
    const next = await this.#create(temporary)
    try {
      for (const place of DATABASE_PLACES) {
        for (const letter of this.#letters[place].values()) {
          const kept = await readPayload(this.#open!, this.#path(), letter)
          letters[place].set(letter.lsn, await append(next, letter, change(kept), false))
        }
      }
      if (extra !== undefined) {
        const { letter, payload } = extra
        letters[letter.place].set(letter.lsn, await append(next, letter, payload, false))
      }
      await next.file.sync()
      await disk.rename(temporary, this.#path())
      await disk.syncDirectory(this.#directory)
    } catch (error) {
      await next.file.close()
      // The new file may have its name by now: nothing is appended to one that nobody will read.
      if (this.#open !== undefined) this.#open.usable = false
      throw error
    }
    const former = this.#open
    this.#open = next
    this.#deadBytes = 0
    for (const place of DATABASE_PLACES) {
      // Only what still counted: a letter may have been settled meanwhile.
      const before = this.#letters[place]
      for (const [lsn, letter] of letters[place]) {
        const isNew = place === extra?.letter.place && lsn === extra.letter.lsn
        if (isNew || before.has(lsn)) before.set(lsn, letter)
        else this.#deadBytes += letter.bytes
      }
    }
    await former?.file.close()
  }

  async #create(path: string): Promise<OpenFile> {
    const { disk } = this.#env
    try {
      await disk.remove(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const salt = Buffer.from(this.#env.randomBytes(4)).readUInt32LE()
    const header = { magic: DEAD_LETTERS_MAGIC, salt, firstLsn: 0, generation: 0 }
    const file = await disk.open(path, 'create')
    try {
      await writeAll(file, encodeHeader({ ...header, writer: this.#writer }), 0)
    } catch (error) {
      await file.close()
      throw error
    }
    return { file, salt, end: SEGMENT_HEADER_BYTES, usable: true }
  }

  #path(): string {
    return join(this.#directory, DEAD_LETTERS_NAME)
  }
}

/** Reads all letters of a file. Throws `CORRUPT` unless only its last write is torn. */
export async function scanLetters(
  file: DiskFile,
  path: string,
  onLetter: (letter: Kept, buffer: Buffer, payload: Payload) => void,
): Promise<OpenFile> {
  const size = await file.size()
  const head = Buffer.alloc(SEGMENT_HEADER_BYTES)
  await file.read(head, 0)
  const header = decodeHeader(head, DEAD_LETTERS_MAGIC, path)
  if (header === undefined) throw corrupt({ path, offset: 0, reason: 'the header is not valid' })
  const options = { from: SEGMENT_HEADER_BYTES, size, salt: header.salt }
  const end = await scanFrames(file, options, (frame, buffer, offset) => {
    const place = buffer[frame.payloadStart] === 1 ? 'primary' : 'backup'
    const atMs = buffer.readDoubleLE(frame.payloadStart + 1)
    const reasonStart = frame.payloadStart + 11
    const reasonEnd = reasonStart + buffer.readUInt16LE(frame.payloadStart + 9)
    const reason = buffer.toString('utf8', reasonStart, reasonEnd)
    const bytes = frame.end - frame.start
    onLetter({ place, lsn: frame.lsn, atMs, reason, offset, bytes }, buffer, {
      payloadStart: reasonEnd,
      payloadEnd: frame.payloadEnd,
    })
    return true
  })
  // Letters are in no order of LSN: any valid frame behind an invalid one shows damage.
  const from = end + FRAME_ALIGNMENT
  const later = await findLaterWrite(file, { ...options, from }, 0, Number.MAX_SAFE_INTEGER)
  if (later !== undefined) {
    throw corrupt({ path, offset: end, reason: `a valid frame follows at ${later}` })
  }
  return { file, salt: header.salt, end, usable: end === size }
}

async function append(
  open: OpenFile,
  letter: DeadLetter,
  payload: Buffer,
  sync = true,
): Promise<Kept> {
  const reason = Buffer.from(letter.reason.slice(0, REASON_LENGTH_MAX).toWellFormed())
  const start = FRAME_HEADER_BYTES
  const payloadEnd = start + 11 + reason.byteLength + payload.byteLength
  const bytes = Buffer.alloc(frameBytes(payloadEnd - start))
  bytes[start] = PLACE_CODES[letter.place]
  bytes.writeDoubleLE(letter.atMs, start + 1)
  bytes.writeUInt16LE(reason.byteLength, start + 9)
  reason.copy(bytes, start + 11)
  payload.copy(bytes, start + 11 + reason.byteLength)
  const header = { lsn: letter.lsn, indexInGroup: 0, lacking: 0 }
  sealFrame(bytes, 0, payloadEnd, header, open.salt)
  const offset = open.end
  await writeAll(open.file, bytes, offset)
  if (sync) await open.file.sync()
  open.end += bytes.byteLength
  return { ...letter, offset, bytes: bytes.byteLength }
}

async function readPayload(open: OpenFile, path: string, letter: Kept): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(letter.bytes)
  await open.file.read(bytes, letter.offset)
  const frame = readFrame(bytes, 0, open.salt)
  if (frame?.lsn !== letter.lsn) {
    throw corrupt({ path, offset: letter.offset, reason: 'the letter is not valid any more' })
  }
  const reasonBytes = bytes.readUInt16LE(frame.payloadStart + 9)
  return bytes.subarray(frame.payloadStart + 11 + reasonBytes, frame.payloadEnd)
}
