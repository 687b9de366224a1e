/*
 * `everthread/core`: parts for authors of strategies, engines, logs and health managers, and the types that
 * public signatures name. What applications use is in index.ts.
 */
export type {
  FileWalConfig,
  InMemoryCacheConfig,
  InMemoryConfig,
  InMemoryWalConfig,
  MemcachedConfig,
  PostgresConfig,
  RedisConfig,
  RedisStreamWalConfig,
  S3Config,
  SqliteConfig,
} from './backend/backend-config.ts'
export { EncryptedBackend } from './backend/encrypted/encrypted-backend.ts'
export type { ForwardingBackend } from './backend/forwarding-backend.ts'
export { MemoryBackend } from './backend/memory/memory-backend.ts'
export { MemoryCache, type MemoryCacheOptions } from './backend/memory/memory-cache.ts'
export { type PlainAdapterOptions, plainAdapter } from './backend/plain-adapter.ts'
export type { SessionUse, StatementSettings } from './backend/postgres/connection/session.ts'
export type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  CountRead,
  DamagedPart,
  Durability,
  FencedOptions,
  FoundItem,
  FoundPage,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  KeyReads,
  LatestKey,
  LatestPage,
  LatestQuery,
  Lease,
  LeaseFence,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
  SchemaState,
  SearchQuery,
  SearchState,
  StoredOperation,
  WriterCursor,
} from './backend/replica-backend.ts'
export type { ReplicaBase } from './backend/replica-base.ts'
export type { CacheSource, DatabaseSource } from './backend/sources.ts'
export type {
  ChangeBase,
  ChangeEvent,
  Changes,
  ClearedChange,
  FeedState,
  ReadyChange,
  RemovedChange,
  ResyncChange,
  SavedChange,
  SubscribeOptions,
  UpdatedChange,
} from './chat/changes/change.ts'
export type {
  Alternative,
  AlternativeList,
  AlternativeOptions,
  ErasedForks,
  Fork,
  ForkList,
  ForkOptions,
  ForkReceipt,
  ResendReceipt,
  TruncateOptions,
  TruncateReceipt,
} from './chat/branches/branch-options.ts'
export type {
  ConversationDetails,
  ConversationReceipt,
  MessageFields,
  MessageStatus,
} from './chat/message.ts'
export type {
  ConversationPatch,
  CountConversationsOptions,
  ListConversationsOptions,
  NewConversation,
  UpdateConversationOptions,
} from './chat/records/record-options.ts'
export type { ResolvedRetention, RetentionLimits } from './chat/retention/retention-options.ts'
export type { Retention, RetentionParts } from './chat/retention/retention.ts'
export type { SearchHit, SearchOptions, SearchPage } from './chat/search/search-options.ts'
export type { Session, SessionTokens } from './chat/session-token.ts'
export type {
  Condition,
  FailedCondition,
  ItemAbsent,
  ItemStands,
  LastStands,
  ValueAbsent,
  ValueStands,
} from './core/conditions.ts'
export type { FindMessagesOptions, FoundMessage, FoundMessages } from './chat/find-messages.ts'
export type { MessageEntry, UpdateOptions } from './chat/updates/update-options.ts'
export type { MessageStream } from './chat/streams/message-stream.ts'
export type {
  ReadStreamOptions,
  RepairStreamsOptions,
  RepairStreamsReport,
  StartedMessage,
  StreamEvent,
  StreamOptions,
} from './chat/streams/stream-options.ts'
export type { StreamDelta, StreamPath } from './chat/streams/step.ts'
export type { Deadline } from './core/deadline.ts'
export type { Verdict } from './core/decide.ts'
export type { BucketDigest, StampRange } from './core/digest.ts'
export type { Disk, DiskEntry, DiskFile, DiskListener, SocketState } from './core/disk.ts'
export type { EncryptionKeys } from './core/encryption/keyring.ts'
export { ValueCipher } from './core/encryption/value-cipher.ts'
export type { Env, ProcessIdentity, Timer } from './core/env.ts'
export type { ThroughOf } from './core/erase.ts'
export type { StorageConnectionErrorOptions, StorageErrorOptions } from './core/errors.ts'
export type { FAILPOINTS, FailpointName, Failpoints } from './core/failpoint.ts'
export type { JsonText } from './core/json.ts'
export { type Item, type ItemParts, itemStamp, type Register } from './core/merge.ts'
export { type NodeEnvOptions, nodeEnv } from './core/node-env.ts'
export type {
  AppendOperation,
  DeleteOperation,
  EditOperation,
  Operation,
  PutOperation,
  RemoveOperation,
  SetOperation,
} from './core/operation.ts'
export type { DatabasePlace } from './core/places.ts'
export type { SearchScope } from './core/search/search-numbers.ts'
export { parseSearch, type SearchTerm, type SearchTerms } from './core/search/search-terms.ts'
export type { Stamp, StampClock, StampClockOptions } from './core/stamp.ts'
export type { CircuitBreakerConfig } from './health/circuit-breaker.ts'
export type { HealthBase, HealthBaseConfig, Outcome } from './health/health-base.ts'
export type {
  HealthEvents,
  HealthFailure,
  HealthProbe,
  LatencyStats,
} from './health/health-manager.ts'
export type { SimpleHealthConfig } from './health/simple.ts'
export type { BackendInfo } from './manager/managed-engine.ts'
export type { BackendHealth, StorageHealth } from './manager/storage-health.ts'
export type {
  BackendSettings,
  DatabaseInfo,
  StorageBackends,
  StorageInfo,
  StorageSettings,
} from './manager/storage-manager.ts'
export type { PlaceManagers } from './store/config.ts'
export type { EraseStage, ErasedPlace } from './store/erase/erase-receipt.ts'
export type { EraseScope } from './store/erase/erasure-record.ts'
export type {
  AddIfAbsentChange,
  AppendChange,
  Change,
  ChangeResult,
  ChangesOptions,
  ChangesOutcome,
  DeleteChange,
  Entry,
  PutChange,
  RemoveChange,
  SetChange,
  WrittenValue,
} from './store/changes/change.ts'
export type { AppendOutcome } from './store/lists.ts'
export type { GroupChange, PastItem, StoreGroups } from './store/groups.ts'
export type { EraseBeside, LeftItem } from './store/erase/erasure-record.ts'
export type { Entries, NewItem } from './store/new-values.ts'
export type { CachePlaceConfig, CachePlaceParts, PlaceParts } from './store/place-config.ts'
export type { StoreHealth, WalStatus } from './store/status.ts'
export type {
  CacheStats,
  ENTRY_NAMES,
  EntryCodec,
  EntryName,
  FillToken,
  Lookup,
  SharedCache,
  SharedCacheOptions,
} from './strategy/cache/shared-cache.ts'
export type { Clocks, ClocksOptions, ClocksStatus } from './strategy/clocks.ts'
export type { StoreContext, StoreNotice } from './strategy/context.ts'
export type { KnownIds } from './strategy/known-ids.ts'
export type { Place } from './strategy/place.ts'
export type { CacheEnhancedReadConfig } from './strategy/read/cache-enhanced.ts'
export type {
  CacheUse,
  CountedRead,
  Gone,
  FoundRead,
  ItemsQuery,
  ItemsRead,
  ItemsSearch,
  KeysRead,
  LatestRead,
  ReadConfig,
  ReadMark,
  ReadPort,
  RegisterRead,
  RegistersRead,
} from './strategy/read/read-port.ts'
export type {
  ReadPlan,
  ResolvedReadConfig,
  SelectingReadStrategy,
} from './strategy/read/selecting-read-strategy.ts'
export type {
  PrimaryVerdict,
  ReplicaMonitor,
  ReplicaMonitorOptions,
} from './strategy/replica-monitor.ts'
export type { SeenTombstones } from './strategy/seen-tombstones.ts'
export type {
  Choice,
  Flat,
  HealthChoice,
  HealthManagerType,
  ReadChoice,
  WalChoice,
  WalManagerType,
  WithConfig,
  WriteChoice,
  WriteStrategyType,
} from './strategy/strategy-factory.ts'
export type {
  Decider,
  Guard,
  HedgeConfig,
  Repeat,
  WriteConfig,
  WriteGroup,
  WriteOutcome,
  WritePort,
} from './strategy/write/write-port.ts'
export type { WriteListener } from './strategy/write/announced.ts'
export type { PolicyWriteStrategy } from './strategy/write/policy-write-strategy.ts'
export type { PlaceState, PlaceStates, WritePolicy } from './strategy/write/write-policy.ts'
export type {
  CountOptions,
  DecodedItem,
  DecodedItems,
  DeletedMany,
  DeletePrefixOptions,
  EntriesPage,
  EntriesQuery,
  KeyValue,
  SetOptions,
} from './store/bulk/bulk-types.ts'
export type { BulkStore } from './store/bulk/bulk-store.ts'
export type { StoreUpkeep } from './store/store-upkeep.ts'
export type { HistoryUpkeep } from './chat/history-upkeep.ts'
export type { ContentHistory } from './chat/content/content-history.ts'
export type { RecordedHistory } from './chat/records/recorded-history.ts'
export type { BranchedHistory } from './chat/branches/branched-history.ts'
export type { StreamedHistory } from './chat/streams/streamed-history.ts'
export type { ReadHistory } from './chat/read-history.ts'
export type { ExpiryReport } from './store/expiry/expiry-pass.ts'
export type { KeyLease } from './store/key-lease.ts'
export type { SaveOptions } from './chat/save-messages.ts'
export type { ReconcileChoice } from './sync/reconcile-options.ts'
export type { DamagedRow, ReconcileProgress } from './sync/reconcile-report.ts'
export type { FileWALConfig } from './wal/file-wal-manager.ts'
export type { FlushMark, FlushTarget, PendingBatch } from './wal/flush-worker.ts'
export type { InMemoryWALConfig } from './wal/in-memory-wal-manager.ts'
export type { WALManagerOptions } from './wal/manager-options.ts'
export type { RedisStreamWALConfig } from './wal/redis-stream-wal-manager.ts'
export type { RedisStreamOptions } from './wal/redis-stream/options.ts'
export type { Ticket, TicketKeeper } from './wal/ticket.ts'
export type { WalManagerStats } from './wal/wal-manager-stats.ts'
export type { WalWrite } from './wal/wal-manager.ts'
export type {
  Lsn,
  RefusedEntry,
  SharedWal,
  WAL,
  WalAppendOptions,
  WalEntry,
  WalErased,
  WalOpened,
  WalPlaceStats,
  WalStats,
} from './wal/wal.ts'
