import { Refusal } from './refusal.ts'

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json *(?:;|$)/i

/**
 * The JSON of a request's body; undefined for an empty one.
 *
 * @throws Refusal 413 for more bytes than `limit`, whatever its header says; 415 for another type;
 * 400 for what is no JSON in UTF-8.
 */
export async function readBody(request: Request, limit: number): Promise<unknown> {
  const text = await readText(request, limit)
  if (text === '') return undefined
  // A page of another site cannot send this type without asking first, which nobody answers.
  if (!JSON_TYPE.test(request.headers.get('content-type') ?? '')) {
    throw new Refusal(415, 'the content-type must be application/json')
  }
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new Refusal(400, 'the body must be JSON')
  }
}

async function readText(request: Request, limit: number): Promise<string> {
  const tooLong = new Refusal(413, `the body must be at most ${limit} bytes`)
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLong
  if (request.body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > limit) throw tooLong
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks, size))
  } catch {
    throw new Refusal(400, 'the body must be UTF-8')
  }
}
