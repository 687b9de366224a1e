import { createHash, randomBytes } from 'node:crypto'

export interface StoredObject {
  readonly body: Buffer
  readonly etag: string
  readonly modifiedMs: number
}

export interface Upload {
  readonly name: string
  readonly parts: Map<number, StoredObject>
}

/** The protocol's least size of a part that is not the last. */
const PART_BYTES_MIN = 5 * 1024 * 1024

/** What a bucket holds. */
export class ObjectStore {
  readonly objects: Map<string, StoredObject> = new Map()
  readonly uploads: Map<string, Upload> = new Map()

  put(name: string, body: Buffer, nowMs: number): StoredObject {
    const object = stored(body, nowMs)
    this.objects.set(name, object)
    return object
  }

  /** Names above `after` with the prefix, in the order of their bytes. */
  names(prefix: string, after: string): string[] {
    return [...this.objects.keys()]
      .filter((name) => name.startsWith(prefix) && compare(name, after) > 0)
      .sort(compare)
  }

  /** Makes everything older, as if so much time had passed on the server. */
  age(ms: number): void {
    for (const [name, object] of this.objects) {
      this.objects.set(name, { ...object, modifiedMs: object.modifiedMs - ms })
    }
  }

  /** Names whose objects have this text in them. */
  holding(text: string): string[] {
    return [...this.objects].filter(([, { body }]) => body.includes(text)).map(([name]) => name)
  }

  startUpload(name: string): string {
    const id = randomBytes(8).toString('hex')
    this.uploads.set(id, { name, parts: new Map() })
    return id
  }

  putPart(id: string, number: number, body: Buffer, nowMs: number): StoredObject | undefined {
    const part = stored(body, nowMs)
    this.uploads.get(id)?.parts.set(number, part)
    return this.uploads.has(id) ? part : undefined
  }

  /** The code of an error, or nothing: then the object is there. */
  completeUpload(
    id: string,
    parts: readonly { readonly number: number; readonly etag: string }[],
    nowMs: number,
  ): string | undefined {
    const upload = this.uploads.get(id)
    if (upload === undefined) return 'NoSuchUpload'
    const bodies: Buffer[] = []
    for (const { number, etag } of parts) {
      const part = upload.parts.get(number)
      if (part === undefined || part.etag !== etag) return 'InvalidPart'
      const isLast = bodies.length === parts.length - 1
      if (!isLast && part.body.byteLength < PART_BYTES_MIN) return 'EntityTooSmall'
      bodies.push(part.body)
    }
    this.put(upload.name, Buffer.concat(bodies), nowMs)
    this.uploads.delete(id)
    return undefined
  }
}

function stored(body: Buffer, modifiedMs: number): StoredObject {
  return { body, etag: `"${createHash('md5').update(body).digest('hex')}"`, modifiedMs }
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
