import { decodeJson, type JsonText } from '../../core/json.ts'
import type { Register } from '../../core/merge.ts'
import type { EntryCodec } from './shared-cache.ts'

/** A value, or null where it is known that there is none. */
export const registerCodec: EntryCodec<Register | null> = {
  encode: (register) => JSON.stringify(register),
  decode: (text) => decodeJson<Register | null>(text as JsonText),
}
