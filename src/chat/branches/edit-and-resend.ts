/*
 * A user edits a message and sends it again: the conversation keeps its id and goes on from there, and what
 * followed stays in a fork. First the fork, which costs nothing; then copies for it of what is about to go; then one
 * group that removes that and has the new message. Cut off anywhere before, the conversation is as it was.
 */
import { hash } from 'node:crypto'
import { StorageError } from '../../core/errors.ts'
import { checkText, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { itemValue } from '../../core/merge.ts'
import { STAMP_MIN } from '../../core/stamp.ts'
import type { NewItem } from '../../store/new-values.ts'
import type { Branches } from './branches.ts'
import type { ResendReceipt } from './branch-options.ts'

/** What is edited, and what is sent. */
export interface Resend {
  readonly conversationId: string
  readonly messageId: string
  readonly item: NewItem
}

export async function editAndResend(
  branches: Branches,
  { conversationId, messageId, item }: Resend,
): Promise<ResendReceipt> {
  checkText('messageId', messageId, MESSAGE_ID_BYTES_MAX)
  const { view } = branches.forks
  const as = item.id === undefined ? undefined : keptId(conversationId, messageId, item.id)
  const found = await view.find(conversationId, messageId)
  const isThere = found.item !== undefined && itemValue(found.item) !== undefined
  if (!isThere && as !== undefined && (await view.marker(as)).marker !== undefined) {
    // A repeat: what is kept is there, and the message that was edited is gone.
    const from = found.item?.position ?? STAMP_MIN
    const empty = { going: [], isLong: false, from, last: from, complete: true }
    return await send(branches, { conversationId, messageId, item }, empty, as)
  }
  if (item.id === messageId) {
    const why = 'a message that is sent again needs an id of its own'
    throw new StorageError('CONFLICT', `message id ${JSON.stringify(messageId)} exists: ${why}`)
  }
  const kept = await branches.fork(conversationId, as === undefined ? {} : { as }, true)
  const tail = await branches.tail(conversationId, messageId)
  return await send(branches, { conversationId, messageId, item }, tail, kept.conversationId)
}

async function send(
  branches: Branches,
  { conversationId, item }: Resend,
  tail: Parameters<Branches['replaceTail']>[1],
  kept: string,
): Promise<ResendReceipt> {
  const outcome = await branches.replaceTail(conversationId, tail, [item])
  const id = outcome.ids[0]!
  const append = outcome.operations.findLast(
    (operation) => operation.kind === 'put' && operation.id === id,
  )
  return {
    id,
    position: append?.kind === 'put' ? append.position : STAMP_MIN,
    stamp: append?.stamp ?? STAMP_MIN,
    copies: outcome.copies,
    durable: outcome.durable,
    kept,
    removed: outcome.removed,
  }
}

/** The same in every process, so that a repeat keeps nothing twice. */
function keptId(conversationId: string, messageId: string, newId: string): string {
  const text = JSON.stringify([conversationId, messageId, newId])
  return `kept-${hash('sha256', text, 'hex').slice(0, 40)}`
}
