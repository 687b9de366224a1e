import { having, value } from '../core/option-kinds.ts'
import type { Option } from '../core/options.ts'
import type { HealthManager } from '../health/health-manager.ts'
import { WALManager } from '../wal/wal-manager.ts'

/** What a store is made with. */
export const HEALTH_MANAGER: Option<HealthManager> = having<HealthManager>('a health manager', [
  'isHealthy',
  'markSuccess',
  'markFailure',
  'getHealthStats',
  'startHealthCheck',
  'stopHealthCheck',
])
export const WAL_MANAGER: Option<WALManager> = value<WALManager>(
  'a WALManager',
  (given) => given instanceof WALManager,
)
