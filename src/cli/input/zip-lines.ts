import { Readable } from 'node:stream'
import { createInflateRaw } from 'node:zlib'
import { crc32 } from '../../core/crc32.ts'
import { messageOf } from '../../core/errors.ts'
import { MIB } from '../../core/limits.ts'
import type { ImportFormat } from '../formats/format.ts'
import type { Line } from '../jsonl/read-lines.ts'
import { openLines } from './open-lines.ts'
import {
  contentsPosition,
  ZIP_NAME_BYTES_MAX,
  zipDirectory,
  type RandomAccess,
  type ZipEntry,
} from './zip-directory.ts'

/** Longest file in an archive that is read, unpacked. Conversations have a limit of their own. */
export const ZIP_FILE_BYTES_MAX: number = 16 * 1024 * MIB
/** How many times as long a file may become; text becomes some 5 times, what is made to do harm 1,000 times. */
export const ZIP_RATIO_MAX = 200
/** A file that is not longer than this does no harm, however well it was packed. */
export const ZIP_RATIO_FROM_BYTES: number = MIB

const READ_BYTES: number = 256 * 1024
const STORED = 0
const DEFLATED = 8

export interface ZipInput {
  readonly lines: AsyncIterable<Line>
  /** Of the files that are read, unpacked, as the archive says. */
  readonly bytes: number
  /** How many other files it has. */
  readonly otherFiles: number
}

export interface ZipLimits {
  readonly fileBytesMax?: number
  readonly ratioMax?: number
}

/**
 * The conversations in an archive: of the files that are named as exports name them, or of all JSON files where
 * none is. They are unpacked as they are read, and never written anywhere.
 *
 * @throws Error for an archive that is damaged, beyond a limit or without such a file.
 */
export async function openZip(
  file: RandomAccess,
  format: ImportFormat | undefined,
  limits: ZipLimits = {},
): Promise<ZipInput> {
  const entries = (await zipDirectory(file)).filter(({ name }) => !name.endsWith('/'))
  const wanted = wantedOf(entries)
  if (wanted.length === 0) {
    throw new Error(
      'the zip has no JSON file: neither conversations.json nor another .json or .jsonl',
    )
  }
  return {
    lines: linesOf(file, wanted, format, limits),
    bytes: wanted.reduce((sum, { bytes }) => sum + bytes, 0),
    otherFiles: entries.length - wanted.length,
  }
}

/** ChatGPT numbers the files of a large export. */
const EXPORTED = /(?:^|\/)conversations(?:[-_]?\d+)?\.json$/i
const JSON_FILE = /\.(?:json|jsonl|ndjson)$/i

function wantedOf(entries: readonly ZipEntry[]): readonly ZipEntry[] {
  const readable = entries.filter(
    ({ name }) => JSON_FILE.test(name) && !name.startsWith('__MACOSX/'),
  )
  const exported = readable.filter(({ name }) => EXPORTED.test(name))
  return exported.length > 0 ? exported : readable
}

async function* linesOf(
  file: RandomAccess,
  entries: readonly ZipEntry[],
  format: ImportFormat | undefined,
  limits: ZipLimits,
): AsyncGenerator<Line> {
  let number = 0
  for (const entry of entries) {
    const { name } = entry
    const problem = refusal(entry, limits)
    if (problem !== undefined) {
      yield { number: ++number, bytes: 0, where: `the file ${showName(name)}`, problem }
      continue
    }
    try {
      const contents = unpacked(file, entry, limits)
      for await (const line of openLines(contents, { format, file: name })) {
        yield { ...line, number: ++number }
      }
    } catch (error) {
      const what = `could not be read to its end: ${messageOf(error)}`
      yield { number: ++number, bytes: 0, where: `the file ${showName(name)}`, problem: what }
    }
  }
}

/** Why a file is not even begun. */
function refusal(
  { name, method, isEncrypted, bytes }: ZipEntry,
  { fileBytesMax = ZIP_FILE_BYTES_MAX }: ZipLimits,
): string | undefined {
  const nameBytes = Buffer.byteLength(name)
  if (nameBytes > ZIP_NAME_BYTES_MAX) {
    return `has a name of ${nameBytes} bytes, at most ${ZIP_NAME_BYTES_MAX} are allowed`
  }
  if (!isPlainName(name)) return 'has a name that leads out of the archive'
  if (isEncrypted) return 'is encrypted: unpack it first'
  if (method !== STORED && method !== DEFLATED) {
    return `is packed by method ${method}; only stored (0) and deflated (8) files are read`
  }
  if (bytes > fileBytesMax) return `is ${bytes} bytes long, at most ${fileBytesMax} are allowed`
  return undefined
}

/** Nothing is written under the name. But who makes such names means harm, and is told so. */
function isPlainName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- these are the characters that no name should have
  return !/^[/\\]|^[a-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|[\u0000-\u001f\u007f]/i.test(name)
}

function showName(name: string): string {
  return JSON.stringify(name.slice(0, ZIP_NAME_BYTES_MAX))
}

/** @throws Error when the contents are not those that the archive lists, or grow beyond a limit. */
async function* unpacked(
  file: RandomAccess,
  entry: ZipEntry,
  { ratioMax = ZIP_RATIO_MAX }: ZipLimits,
): AsyncGenerator<Uint8Array> {
  const { bytes, compressedBytes } = entry
  let length = 0
  let crc = 0
  for await (const chunk of entry.method === STORED ? packed(file, entry) : inflated(file, entry)) {
    length += chunk.byteLength
    if (length > bytes) throw new Error(`it is longer than the ${bytes} bytes that the zip says`)
    if (length > ZIP_RATIO_FROM_BYTES && length > compressedBytes * ratioMax) {
      throw new Error(`it becomes more than ${ratioMax} times as long as it is packed`)
    }
    crc = crc32(chunk, crc)
    yield chunk
  }
  if (length !== bytes) throw new Error(`it ends after ${length} of ${bytes} bytes`)
  if (crc !== entry.crc)
    throw new Error('its checksum is wrong: what was read of it may be damaged')
}

async function* inflated(file: RandomAccess, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const source = Readable.from(packed(file, entry), { objectMode: false })
  const inflate = createInflateRaw({ chunkSize: READ_BYTES })
  source.on('error', (error) => inflate.destroy(error))
  try {
    yield* source.pipe(inflate) as AsyncIterable<Uint8Array>
  } finally {
    source.destroy()
    inflate.destroy()
  }
}

async function* packed(file: RandomAccess, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const start = await contentsPosition(file, entry)
  const end = start + entry.compressedBytes
  for (let at = start; at < end;) {
    const chunk = await file.read(at, Math.min(READ_BYTES, end - at))
    if (chunk.length === 0) throw new Error('the zip is cut off')
    at += chunk.length
    yield chunk
  }
}
