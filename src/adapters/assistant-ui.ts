/*
 * What assistant-ui keeps: branches of threads, lists of threads, and streams that can be read again. It is
 * not depended on: what is here has the shapes of its interfaces.
 */
export {
  threadHistory,
  type BranchItem,
  type BranchMessage,
  type BranchRepository,
  type FormattedEntry,
  type FormattedHistory,
  type MessageFormat,
  type ThreadHistory,
} from './assistant-ui/thread-history.ts'
export {
  threadList,
  type ThreadList,
  type ThreadListOptions,
  type ThreadMetadata,
  type TitleChunk,
} from './assistant-ui/thread-list.ts'
export {
  ResumableStreamError,
  streamStore,
  type StreamLease,
  type StreamStore,
  type StreamStoreOptions,
} from './assistant-ui/stream-store.ts'
