import { resolve } from '../../core/options.ts'
import type { NewMessage, Receipt } from '../message.ts'
import { itemsOf } from '../message-items.ts'
import type { Activity } from '../records/activity.ts'
import { RecordedHistory } from '../records/recorded-history.ts'
import type { Sessions } from '../sessions.ts'
import type { Alternatives } from './alternatives.ts'
import {
  ADD_ALTERNATIVE,
  FORK,
  TRUNCATE,
  type AlternativeList,
  type AlternativeOptions,
  type Fork,
  type ForkList,
  type ForkOptions,
  type ForkReceipt,
  type ResendReceipt,
  type TruncateOptions,
  type TruncateReceipt,
} from './branch-options.ts'
import type { Branches } from './branches.ts'
import { editAndResend } from './edit-and-resend.ts'
import { MARKER_ID } from './fork-marker.ts'

import type { ProviderName } from '../providers/shapes.ts'

/** Calls of a history about forks, cuts and other answers in the place of a message. */
export abstract class BranchedHistory<
  Extras extends object | ProviderName,
> extends RecordedHistory {
  /** Whose conversations these are; may be empty. */
  abstract get tenant(): string
  /** @internal */
  protected abstract get branches(): Branches
  /** @internal */
  protected abstract get alternatives(): Alternatives
  /** @internal */
  protected abstract get activity(): Activity
  /** @internal */
  protected abstract get sessions(): Sessions | undefined

  /**
   * Makes a conversation that shows what this one shows up to a message, and goes on by itself. Nothing is
   * copied: it costs the same for 10 and for 100,000 messages. From here on neither changes the other: what is
   * edited, removed or cleared in one stays in the other.
   *
   * @throws StorageError `NOT_FOUND` without the message, `CONFLICT` for an id in `as` that was used before,
   * `UNAVAILABLE` where that cannot be known.
   */
  async fork(conversationId: string, options?: ForkOptions): Promise<ForkReceipt> {
    const receipt = await this.branches.fork(conversationId, resolve('', options, FORK))
    const { conversationId: id, position, ...rest } = receipt
    const session = this.sessions?.ofWrite(id, MARKER_ID, position, receipt)
    return { conversationId: id, ...rest, ...session }
  }

  /** Conversations that share messages of this one, the first made first; not the forks of those. */
  async listForks(conversationId: string): Promise<ForkList> {
    return await this.branches.listForks(conversationId)
  }

  /** Where the messages of a fork come from: undefined for a conversation that is none. */
  async forkedFrom(conversationId: string): Promise<Fork | undefined> {
    const { marker } = await this.branches.forks.view.marker(conversationId)
    if (marker?.conversationId === undefined) return undefined
    return { conversationId: marker.conversationId, messageId: marker.messageId }
  }

  /**
   * Removes a message and all behind it for good, in one atomic write. What another process saves meanwhile, or
   * this one cannot see, stays. Forks keep what they share. Where more than 5,000 messages go, it takes as long
   * as copying what stays.
   *
   * @throws StorageError as `updateMessage`.
   */
  async truncate(conversationId: string, options: TruncateOptions): Promise<TruncateReceipt> {
    const { from } = resolve('', options, TRUNCATE)
    return await this.branches.truncate(conversationId, from)
  }

  /**
   * Replaces a message and all behind it by a new message, in one atomic write. What the conversation showed
   * before stays in a fork, `kept`. With an id of the new message's it may be repeated.
   *
   * @throws StorageError as `truncate` and `saveMessage`.
   */
  async editAndResend(
    conversationId: string,
    messageId: string,
    message: NewMessage<Extras>,
  ): Promise<ResendReceipt> {
    const [item] = itemsOf([message])
    await this.contents.refer(conversationId, [message])
    const moved = this.activity.saving(this.tenant, conversationId)
    const receipt = await editAndResend(this.branches, { conversationId, messageId, item: item! })
    await moved
    return receipt
  }

  /**
   * Adds another answer in the place of a message, which the conversation shows from here on, and with `choose:
   * false` does not. At most 64 for one message. With an id of its own it may be repeated.
   *
   * @throws StorageError as `saveMessage` and `updateMessage`.
   */
  async addAlternative(
    conversationId: string,
    messageId: string,
    message: NewMessage<Extras>,
    options?: AlternativeOptions,
  ): Promise<Receipt> {
    const { choose } = resolve('', options, ADD_ALTERNATIVE)
    await this.contents.refer(conversationId, [message])
    return await this.alternatives.add(conversationId, messageId, message as NewMessage, choose)
  }

  /** The answers in the place of a message, and which one the conversation shows. Errors as `updateMessage`. */
  async listAlternatives(
    conversationId: string,
    messageId: string,
  ): Promise<AlternativeList<Extras>> {
    const found = await this.alternatives.list(conversationId, messageId)
    return found as AlternativeList<Extras>
  }

  /** Shows another answer in the place of a message. Of two choices the later one wins. Errors as `updateMessage`. */
  async chooseAlternative(
    conversationId: string,
    messageId: string,
    alternativeId: string,
  ): Promise<Receipt> {
    return await this.alternatives.choose(conversationId, messageId, alternativeId)
  }
}
