export {
  ChatHistory,
  type ClearOptions,
  type EraseOptions,
  type HistoryOptions,
} from './chat/chat-history.ts'
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
export { openChatHistory, type ChatHistoryOptions } from './chat/open-chat-history.ts'
export type { RetentionLimits, RetentionOptions } from './chat/retention/retention-options.ts'
export type { RetentionReport } from './chat/retention/retention.ts'
export { EncryptedBackend } from './backend/encrypted/encrypted-backend.ts'
export type { EncryptionKey, EncryptionKeys, EncryptionOptions } from './core/encryption/keyring.ts'
export { ValueCipher } from './core/encryption/value-cipher.ts'
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
  CacheEnhancedReadStrategy,
  type CacheEnhancedReadConfig,
} from './strategy/read/cache-enhanced.ts'
export { FailoverReadStrategy } from './strategy/read/failover.ts'
export { PrimaryFirstReadStrategy } from './strategy/read/primary-first.ts'
export type { ReadConfig, ReadPort } from './strategy/read/read-port.ts'
export type { ReadStrategy } from './strategy/read/read-strategy.ts'
export {
  StrategyFactory,
  type HealthChoice,
  type ReadChoice,
  type StrategySet,
  type StrategySetConfig,
  type WalChoice,
  type WriteChoice,
} from './strategy/strategy-factory.ts'
export { DualWriteStrategy } from './strategy/write/dual-write.ts'
export { IdempotentWriteStrategy } from './strategy/write/idempotent.ts'
export { WalFirstWriteStrategy } from './strategy/write/wal-first.ts'
export type {
  HedgeConfig,
  WriteConfig,
  WriteGroup,
  WriteOutcome,
  WritePort,
} from './strategy/write/write-port.ts'
export type { WriteStrategy } from './strategy/write/write-strategy.ts'
export { CircuitBreakerHealthManager, type CircuitBreakerConfig } from './health/circuit-breaker.ts'
export type {
  HealthEvents,
  HealthManager,
  HealthProbe,
  HealthStats,
} from './health/health-manager.ts'
export { SimpleHealthManager, type SimpleHealthConfig } from './health/simple.ts'
export { FileWALManager, type FileWALConfig } from './wal/file-wal-manager.ts'
export { InMemoryWALManager, type InMemoryWALConfig } from './wal/in-memory-wal-manager.ts'
export { RedisStreamWALManager, type RedisStreamWALConfig } from './wal/redis-stream-wal-manager.ts'
export type { WALManagerOptions } from './wal/manager-options.ts'
export { WALManager, type WalManagerStats, type WalWrite } from './wal/wal-manager.ts'
export type { Lsn, RefusedEntry, WAL, WalEntry, WalStats } from './wal/wal.ts'
export {
  StorageManager,
  type BackendSettings,
  type DatabaseInfo,
  type StorageBackends,
  type StorageInfo,
  type StorageManagerConfig,
  type StorageSettings,
} from './manager/storage-manager.ts'
export type { BackendInfo } from './manager/slot.ts'
export type { StoreManagers } from './manager/store-managers.ts'
export type { BackendHealth, StorageHealth } from './manager/storage-health.ts'
export type { CacheConfig, DatabaseConfig, WalConfig } from './backend/backend-config.ts'
export type { CacheBackend } from './backend/cache-backend.ts'
export type { DatabaseBackend } from './backend/database-backend.ts'
export { MemoryBackend } from './backend/memory/memory-backend.ts'
export { MemoryCache } from './backend/memory/memory-cache.ts'
export { plainAdapter, type PlainAdapterOptions } from './backend/plain-adapter.ts'
export type { CacheSource, DatabaseSource } from './backend/registry.ts'
export type { ReplicaBackend } from './backend/replica-backend.ts'
export type { Env } from './core/env.ts'
export {
  isStorageError,
  StorageConnectionError,
  StorageError,
  type Effect,
  type StorageErrorCode,
} from './core/errors.ts'
export type { Logger } from './core/logger.ts'
export { nodeEnv } from './core/node-env.ts'
export type { DatabasePlace, PlaceName } from './core/operation.ts'
