export { FaultProxy, type FaultProxyOptions, type FaultProxyStats } from './fault-proxy.ts'
export { healthConformance, type HealthConformanceOptions } from './health-conformance.ts'
export { MapBackend } from './map-backend.ts'
export {
  replicaBackendConformance,
  type ReplicaBackendCapabilities,
  type ReplicaBackendConformanceOptions,
} from './replica-backend-conformance.ts'
export { virtualEnv, type VirtualEnv, type VirtualEnvOptions } from './virtual-env.ts'
export {
  chatHistoryConformance,
  type ChatHistoryConformanceOptions,
} from './chat-history-conformance.ts'
export { DurableMemoryBackend } from './durable-memory-backend.ts'
export { faultyBackend, type FaultMode, type FaultyBackend } from './faulty-backend.ts'
export {
  readStrategyConformance,
  type ReadStrategyConformanceOptions,
} from './read-strategy-conformance.ts'
export {
  writeStrategyConformance,
  type WriteStrategyConformanceOptions,
} from './write-strategy-conformance.ts'
export {
  SimulatedDisk,
  type AttachedDisk,
  type FaultOptions,
  type SimulatedOperation,
} from './simulated-disk.ts'
export type { SimulatedDiskOptions } from './simulated-disk-options.ts'
export { walConformance, type WalConformanceOptions, type WalFixture } from './wal-conformance.ts'
export { checkHistory } from './history-checker/check-history.ts'
export type {
  AppendRecord,
  CheckOptions,
  ClearRecord,
  EditRecord,
  GetRecord,
  History,
  HistoryRecord,
  ReadRecord,
  RemoveRecord,
  SetRecord,
  ShownMessage,
  Violation,
  ViolationKind,
} from './history-checker/history.ts'
