/** Hashes that are remembered: beyond that many conversations a name is decoded like any text. */
const NAMES_MAX = 100_000
/** An odd number whose products spread over 32 bits (FNV-1a). */
const FNV_PRIME = 0x01000193
const FNV_BASIS = 0x811c9dc5

/**
 * Turns the bytes of a key into its string, the same string each time. Most entries of a log are of
 * keys that it has had already, and to decode and look up a new string for each of them would be
 * the largest part of recovery. Keys that are not ASCII are decoded each time.
 */
export class KeyNames {
  readonly #byHash = new Map<number, string>()

  read(buffer: Buffer, start: number, end: number): string {
    let hash = FNV_BASIS
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ buffer[i]!, FNV_PRIME)
    const known = this.#byHash.get(hash)
    if (known !== undefined && isSame(known, buffer, start, end)) return known
    const name = buffer.toString('utf8', start, end)
    if (this.#byHash.size < NAMES_MAX) this.#byHash.set(hash, name)
    return name
  }
}

/** False also for a text with other characters than ASCII: its bytes are not its characters. */
function isSame(text: string, buffer: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let i = 0; i < text.length; i++) {
    const byte = buffer[start + i]!
    if (byte > 0x7f || byte !== text.charCodeAt(i)) return false
  }
  return true
}
