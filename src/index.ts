/*
 * `everthread`: what applications use. What authors of strategies, engines and logs need beside it is in
 * core.ts, `everthread/core`; each name is exported from one of the two. New here is only what an application
 * would import by name.
 */
export type { CacheConfig, DatabaseConfig, WalConfig } from './backend/backend-config.ts'
export type { CacheBackend } from './backend/cache-backend.ts'
export type { DatabaseBackend } from './backend/database-backend.ts'
export { ChatHistory } from './chat/chat-history.ts'
export type { ClearOptions, EraseOptions } from './chat/removals.ts'
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
  AssistantMessage,
  ChatMessage,
  ClearReceipt,
  ContentPart,
  Conversation,
  ConversationDetails,
  ConversationPage,
  ConversationReceipt,
  HistoryPage,
  NewMessage,
  Receipt,
  Role,
  SystemMessage,
  ToolMessage,
  UserMessage,
} from './chat/message.ts'
export { type ChatHistoryOptions, openChatHistory } from './chat/open-chat-history.ts'
export type {
  ConversationPatch,
  ListConversationsOptions,
  NewConversation,
} from './chat/records/record-options.ts'
export type { RetentionOptions } from './chat/retention/retention-options.ts'
export type { RetentionReport } from './chat/retention/retention.ts'
export type { EncryptionKey, EncryptionOptions } from './core/encryption/keyring.ts'
export {
  type Effect,
  StorageConnectionError,
  StorageError,
  type StorageErrorCode,
  isStorageError,
} from './core/errors.ts'
export type { Logger } from './core/logger.ts'
export type { PlaceName } from './core/places.ts'
export { CircuitBreakerHealthManager } from './health/circuit-breaker.ts'
export type { HealthManager, HealthStats } from './health/health-manager.ts'
export { SimpleHealthManager } from './health/simple.ts'
export { StorageManager, type StorageManagerConfig } from './manager/storage-manager.ts'
export type { StoreManagers } from './manager/store-managers.ts'
export type { StrategicStorageConfig } from './store/config.ts'
export type { EraseReceipt } from './store/erase/erase-receipt.ts'
export type { PlaceConfig } from './store/place-config.ts'
export type { PlaceStatus, StoreStatus } from './store/status.ts'
export type { StoreEvents } from './store/store-events.ts'
export { StrategicStorageManager } from './store/strategic-storage-manager.ts'
export { CacheEnhancedReadStrategy } from './strategy/read/cache-enhanced.ts'
export { FailoverReadStrategy } from './strategy/read/failover.ts'
export { PrimaryFirstReadStrategy } from './strategy/read/primary-first.ts'
export type { ReadStrategy } from './strategy/read/read-strategy.ts'
export {
  StrategyFactory,
  type StrategySet,
  type StrategySetConfig,
} from './strategy/strategy-factory.ts'
export { DualWriteStrategy } from './strategy/write/dual-write.ts'
export { IdempotentWriteStrategy } from './strategy/write/idempotent.ts'
export { WalFirstWriteStrategy } from './strategy/write/wal-first.ts'
export type { WriteStrategy } from './strategy/write/write-strategy.ts'
export type { ReconcileOptions } from './sync/reconcile-options.ts'
export type { ReconcileReport } from './sync/reconcile-report.ts'
export type { PassOptions, VerifyOptions } from './sync/reconciler.ts'
export { FileWALManager } from './wal/file-wal-manager.ts'
export { InMemoryWALManager } from './wal/in-memory-wal-manager.ts'
export { RedisStreamWALManager } from './wal/redis-stream-wal-manager.ts'
export { WALManager } from './wal/wal-manager.ts'
