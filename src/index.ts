export { ChatHistory, type ClearOptions, type EraseOptions } from './chat/chat-history.ts'
export type { HistoryOptions } from './chat/history-options.ts'
export type {
  ClosedToolCall,
  ClosedToolCalls,
  CloseToolCallsOptions,
  DanglingToolCall,
  DanglingToolCalls,
  FindToolCallsOptions,
} from './chat/turns/dangling-tool-calls.ts'
export type { HistoryWindow, WindowOptions } from './chat/window/window-options.ts'
export type {
  ChatMessage,
  ClearReceipt,
  ContentPart,
  Conversation,
  ConversationPage,
  HistoryPage,
  NewMessage,
  Receipt,
  Role,
} from './chat/message.ts'
export { type ChatHistoryOptions, openChatHistory } from './chat/open-chat-history.ts'
export type {
  ResolvedRetention,
  RetentionLimits,
  RetentionOptions,
} from './chat/retention/retention-options.ts'
export type { Retention, RetentionParts, RetentionReport } from './chat/retention/retention.ts'
export { EncryptedBackend } from './backend/encrypted/encrypted-backend.ts'
export type { EncryptionKey, EncryptionKeys, EncryptionOptions } from './core/encryption/keyring.ts'
export { ValueCipher } from './core/encryption/value-cipher.ts'
export type { Deadline } from './core/deadline.ts'
export type { PlaceManagers, StrategicStorageConfig } from './store/config.ts'
export type {
  CachePlaceConfig,
  CachePlaceParts,
  PlaceConfig,
  PlaceParts,
} from './store/place-config.ts'
export type { EraseReceipt, EraseStage, ErasedPlace } from './store/erase/erase-receipt.ts'
export type { PlaceStatus, StoreHealth, StoreStatus, WalStatus } from './store/status.ts'
export type { StoreEvents } from './store/store-events.ts'
export type { Entries, NewItem } from './store/new-values.ts'
export type { AppendOutcome } from './store/lists.ts'
export { StrategicStorageManager } from './store/strategic-storage-manager.ts'
export type { ReconcileChoice, ReconcileOptions } from './sync/reconcile-options.ts'
export type { DamagedRow, ReconcileProgress, ReconcileReport } from './sync/reconcile-report.ts'
export type { PassOptions, VerifyOptions } from './sync/reconciler.ts'
export {
  type CacheEnhancedReadConfig,
  CacheEnhancedReadStrategy,
} from './strategy/read/cache-enhanced.ts'
export { FailoverReadStrategy } from './strategy/read/failover.ts'
export { PrimaryFirstReadStrategy } from './strategy/read/primary-first.ts'
export type {
  CacheUse,
  CountedRead,
  Gone,
  ItemsQuery,
  ItemsRead,
  KeysRead,
  LatestRead,
  ReadConfig,
  ReadMark,
  ReadPort,
  RegisterRead,
} from './strategy/read/read-port.ts'
export type { ReadStrategy } from './strategy/read/read-strategy.ts'
export {
  type Choice,
  type Flat,
  type HealthChoice,
  type HealthManagerType,
  type ReadChoice,
  StrategyFactory,
  type StrategySet,
  type StrategySetConfig,
  type WalChoice,
  type WalManagerType,
  type WithConfig,
  type WriteChoice,
  type WriteStrategyType,
} from './strategy/strategy-factory.ts'
export { DualWriteStrategy } from './strategy/write/dual-write.ts'
export { IdempotentWriteStrategy } from './strategy/write/idempotent.ts'
export { WalFirstWriteStrategy } from './strategy/write/wal-first.ts'
export type {
  HedgeConfig,
  Repeat,
  WriteConfig,
  WriteGroup,
  WriteOutcome,
  WritePort,
} from './strategy/write/write-port.ts'
export type { WriteStrategy } from './strategy/write/write-strategy.ts'
export { type CircuitBreakerConfig, CircuitBreakerHealthManager } from './health/circuit-breaker.ts'
export type {
  HealthEvents,
  HealthFailure,
  HealthManager,
  HealthProbe,
  HealthStats,
  LatencyStats,
} from './health/health-manager.ts'
export { type SimpleHealthConfig, SimpleHealthManager } from './health/simple.ts'
export { type FileWALConfig, FileWALManager } from './wal/file-wal-manager.ts'
export { type InMemoryWALConfig, InMemoryWALManager } from './wal/in-memory-wal-manager.ts'
export { type RedisStreamWALConfig, RedisStreamWALManager } from './wal/redis-stream-wal-manager.ts'
export type { WALManagerOptions } from './wal/manager-options.ts'
export { WALManager, type WalWrite } from './wal/wal-manager.ts'
export type { WalManagerStats } from './wal/wal-manager-stats.ts'
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
export {
  type BackendSettings,
  type DatabaseInfo,
  type StorageBackends,
  type StorageInfo,
  StorageManager,
  type StorageManagerConfig,
  type StorageSettings,
} from './manager/storage-manager.ts'
export type { BackendInfo } from './manager/managed-engine.ts'
export type { StoreManagers } from './manager/store-managers.ts'
export type { BackendHealth, StorageHealth } from './manager/storage-health.ts'
export type {
  CacheConfig,
  DatabaseConfig,
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
  WalConfig,
} from './backend/backend-config.ts'
export type { CacheBackend } from './backend/cache-backend.ts'
export type { DatabaseBackend } from './backend/database-backend.ts'
export { MemoryBackend } from './backend/memory/memory-backend.ts'
export { MemoryCache, type MemoryCacheOptions } from './backend/memory/memory-cache.ts'
export { plainAdapter, type PlainAdapterOptions } from './backend/plain-adapter.ts'
export type { CacheSource, DatabaseSource } from './backend/sources.ts'
export type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  CountRead,
  DamagedPart,
  Durability,
  FencedOptions,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  LatestKey,
  LatestPage,
  LatestQuery,
  Lease,
  LeaseFence,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
  SchemaState,
  StoredOperation,
  WriterCursor,
} from './backend/replica-backend.ts'
export type { Env, ProcessIdentity, Timer } from './core/env.ts'
export {
  type Effect,
  isStorageError,
  StorageConnectionError,
  StorageError,
  type StorageErrorCode,
  type StorageErrorOptions,
} from './core/errors.ts'
export type { Logger } from './core/logger.ts'
export { nodeEnv, type NodeEnvOptions } from './core/node-env.ts'
export type {
  AppendOperation,
  DeleteOperation,
  EditOperation,
  Operation,
  PutOperation,
  RemoveOperation,
  SetOperation,
} from './core/operation.ts'
export type { DatabasePlace, PlaceName } from './core/places.ts'
export type { ForwardingBackend } from './backend/forwarding-backend.ts'
export type { ReplicaBase } from './backend/replica-base.ts'
export type { Session, SessionTokens } from './chat/session-token.ts'
export type { BucketDigest, StampRange } from './core/digest.ts'
export type { Disk, DiskEntry, DiskFile, DiskListener, SocketState } from './core/disk.ts'
export type { ThroughOf } from './core/erase.ts'
export type { FAILPOINTS, FailpointName, Failpoints } from './core/failpoint.ts'
export type { JsonText } from './core/json.ts'
export type { Item, ItemParts, Register } from './core/merge.ts'
export type { Stamp, StampClock, StampClockOptions } from './core/stamp.ts'
export type { HealthBase, HealthBaseConfig, Outcome } from './health/health-base.ts'
export type { EraseScope } from './store/erase/erasure-record.ts'
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
export type {
  ReadPlan,
  ResolvedReadConfig,
  SelectingReadStrategy,
} from './strategy/read/selecting-read-strategy.ts'
export type { FlushMark, FlushTarget, PendingBatch } from './wal/flush-worker.ts'
export type { RedisStreamOptions } from './wal/redis-stream/options.ts'
export type { Ticket, TicketKeeper } from './wal/ticket.ts'
export type { Verdict } from './core/decide.ts'
export type { Place } from './strategy/place.ts'
export type {
  PrimaryVerdict,
  ReplicaMonitor,
  ReplicaMonitorOptions,
} from './strategy/replica-monitor.ts'
export type { KnownIds } from './strategy/known-ids.ts'
export type { SeenTombstones } from './strategy/seen-tombstones.ts'
export type { SessionUse, StatementSettings } from './backend/postgres/connection/session.ts'
