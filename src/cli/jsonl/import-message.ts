import type { NewMessage } from '../../chat/message.ts'
import { BadLine } from './bad-line.ts'
import { renameFields } from './field-names.ts'
import { importId } from './import-id.ts'

/** A message, or an item without a role, that has an id, whoever gave it: saving it again is harmless. */
export type IdentifiedMessage = NewMessage & { readonly id: string }

/**
 * A message of an import file, in OpenAI's form or in ours, as the store takes it. Every field is
 * kept, in its order; the two fields with two names get ours. Whether the store takes it is not
 * judged here.
 *
 * @throws BadLine with what is wrong with the message.
 */
export function importMessage(value: unknown, index: number): IdentifiedMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadLine('message must be an object')
  }
  const fields = Object.entries(value)
  const given = new Map<string, unknown>(fields)
  if (given.get('createdAt') === null) {
    // The store would answer with the time of saving, and an export would no longer say null.
    throw new BadLine('message.createdAt must be a string or left out, got null')
  }
  const id = given.has('id') ? [] : [['id', importId({ index, dated: given.has('createdAt') })]]
  // `fromEntries` makes an own field of `__proto__`; an assignment would not.
  return Object.fromEntries([...id, ...renameFields(fields, 'own')]) as IdentifiedMessage
}
