/* What the framework's serializer makes of a value, as JSON that the store keeps. */
import type { SerializerProtocol } from '@langchain/langgraph-checkpoint'

/** The serializer's type, and its bytes: as text where they are UTF-8, else as base64, which the third says. */
export type Packed = readonly [type: string, data: string, encoding?: 'base64']

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export async function pack(serde: SerializerProtocol, value: unknown): Promise<Packed> {
  const [type, bytes] = await serde.dumpsTyped(value)
  if (type === 'json') {
    try {
      return [type, decoder.decode(bytes)]
    } catch {
      // A serializer of the application's that means something else by that.
    }
  }
  return [type, Buffer.from(bytes).toString('base64'), 'base64']
}

export async function unpack(
  serde: SerializerProtocol,
  [type, data, encoding]: Packed,
): Promise<unknown> {
  const bytes = encoding === undefined ? data : new Uint8Array(Buffer.from(data, 'base64'))
  return (await serde.loadsTyped(type, bytes)) as unknown
}
