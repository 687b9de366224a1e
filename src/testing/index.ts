export { FaultProxy, type FaultProxyOptions, type FaultProxyStats } from './fault-proxy.ts'
export { healthConformance, type HealthConformanceOptions } from './health-conformance.ts'
export { MapBackend } from './map-backend.ts'
export {
  replicaBackendConformance,
  type ReplicaBackendCapabilities,
  type ReplicaBackendConformanceOptions,
} from './replica-backend-conformance.ts'
export { virtualEnv, type VirtualEnv, type VirtualEnvOptions } from './virtual-env.ts'
