import { HistoryUpkeep } from '../history-upkeep.ts'
import type {
  CleanContentOptions,
  CleanContentReport,
  ContentData,
  SaveContentOptions,
  SavedContent,
  StoredContent,
} from './content-options.ts'
import type { Contents } from './contents.ts'

/** Calls of a history about bytes that are too large for a message. */
export abstract class ContentHistory extends HistoryUpkeep {
  /** @internal */
  protected abstract get contents(): Contents

  /**
   * Saves bytes that are too large for a message, at most 256 MiB; messages of this tenant refer to them by the
   * `ref`. The same bytes are stored once. After an error nothing is to be seen of them, and it may be repeated.
   */
  async saveContent(data: ContentData, options?: SaveContentOptions): Promise<SavedContent> {
    return await this.contents.save(data, options)
  }

  /** What `saveContent` saved. @throws StorageError `NOT_FOUND`, or `UNAVAILABLE` while a place is away. */
  async readContent(ref: string): Promise<StoredContent> {
    return await this.contents.read(ref)
  }

  /** Erases content that no message refers to. `UNAVAILABLE` while a place is away: nothing is removed then. */
  async cleanContent(options?: CleanContentOptions): Promise<CleanContentReport> {
    return await this.contents.clean(options)
  }
}
