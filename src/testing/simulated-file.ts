/** One write or truncation that no sync has covered yet. */
type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number }

/** Bytes that grow. */
class Content {
  size = 0
  #bytes = Buffer.alloc(0)

  read(target: Uint8Array, offset: number): number {
    const end = Math.min(this.size, offset + target.byteLength)
    if (end <= offset) return 0
    target.set(this.#bytes.subarray(offset, end))
    return end - offset
  }

  write(bytes: Uint8Array, offset: number): void {
    this.extend(offset + bytes.byteLength)
    this.#bytes.set(bytes, offset)
  }

  /** Makes it at least this long, with zeros. */
  extend(size: number): void {
    if (size <= this.size) return
    if (size > this.#bytes.byteLength) {
      const grown = Buffer.alloc(Math.max(size, this.#bytes.byteLength * 2))
      this.#bytes.copy(grown, 0, 0, this.size)
      this.#bytes = grown
    }
    this.size = size
  }

  truncate(size: number): void {
    if (size < this.size) this.#bytes.fill(0, size, this.size)
    this.size = Math.min(this.size, size)
    this.extend(size)
  }

  flip(offset: number, mask: number): void {
    if (offset < this.size) this.#bytes[offset]! ^= mask
  }

  copy(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.size))
  }

  reset(bytes: Uint8Array): void {
    this.#bytes = Buffer.from(bytes)
    this.size = bytes.byteLength
  }
}

/** A file in the page cache and on the platter. */
export class SimulatedFile {
  readonly #cached = new Content()
  readonly #durable = new Content()
  #changes: Change[] = []

  get size(): number {
    return this.#cached.size
  }

  get unsynced(): number {
    return this.#changes.length
  }

  bytes(): Buffer {
    return this.#cached.copy()
  }

  read(target: Uint8Array, offset: number): number {
    return this.#cached.read(target, offset)
  }

  write(bytes: Uint8Array, offset: number): void {
    this.#cached.write(bytes, offset)
    this.#changes.push({ kind: 'write', offset, bytes: Uint8Array.from(bytes) })
  }

  truncate(size: number): void {
    this.#cached.truncate(size)
    this.#changes.push({ kind: 'truncate', size })
  }

  sync(): void {
    for (const change of this.#changes) apply(this.#durable, change)
    this.#changes = []
  }

  /**
   * What a kernel does when it cannot write: the pages stay readable, count as written, and are
   * not. The next sync reports success.
   */
  forgetChanges(): void {
    this.#changes = []
  }

  /** Changes the bytes themselves, as a failing disk does. */
  flip(offset: number, mask: number): void {
    this.#cached.flip(offset, mask)
    this.#durable.flip(offset, mask)
  }

  /** Loses power: each unsynced change is kept, lost or torn, whatever the others are. */
  crash(random: () => number): void {
    for (const change of this.#changes) {
      const fate = random()
      if (fate < 0.35) continue
      if (fate < 0.65 || change.kind === 'truncate') apply(this.#durable, change)
      else this.#tear(change.bytes, change.offset, random)
    }
    this.#changes = []
    this.#cached.reset(this.#durable.copy())
  }

  /** A piece from anywhere in the write is kept; the file may have grown to its whole length. */
  #tear(bytes: Uint8Array, offset: number, random: () => number): void {
    const first = random() < 0.5 ? 0 : Math.floor(random() * bytes.byteLength)
    const last = first + Math.floor(random() * (bytes.byteLength - first + 1))
    this.#durable.write(bytes.subarray(first, last), offset + first)
    if (random() < 0.5) this.#durable.extend(offset + bytes.byteLength)
  }
}

function apply(content: Content, change: Change): void {
  if (change.kind === 'write') content.write(change.bytes, change.offset)
  else content.truncate(change.size)
}
