import { describe } from 'vitest'
import { concurrency } from './backend/concurrency.ts'
import { conditions } from './backend/conditions.ts'
import {
  conformanceContext,
  type DamagedValue,
  type ReplicaBackendCapabilities,
  type ReplicaBackendConformanceOptions,
} from './backend/context.ts'
import { damage } from './backend/damage.ts'
import { deciding } from './backend/deciding.ts'
import { digests } from './backend/digests.ts'
import { leases } from './backend/leases.ts'
import { manyKeys } from './backend/many-keys.ts'
import { lifecycle } from './backend/lifecycle.ts'
import { listing } from './backend/listing.ts'
import { merging } from './backend/merging.ts'
import { paging } from './backend/paging.ts'
import { plainCalls } from './backend/plain-calls.ts'
import { properties } from './backend/properties.ts'
import { searching } from './backend/searching.ts'
import { state } from './backend/state.ts'

export type { DamagedValue, ReplicaBackendCapabilities, ReplicaBackendConformanceOptions }

/**
 * Declares the tests that every `ReplicaBackend` must pass, with Vitest. Each test opens a database
 * of its own and disconnects it.
 *
 * Not tested: what needs a server that fails, and how fast anything is.
 */
export function replicaBackendConformance(options: ReplicaBackendConformanceOptions): void {
  const context = conformanceContext(options)
  describe(`${options.name}: replica backend`, () => {
    plainCalls(context)
    merging(context)
    deciding(context)
    conditions(context)
    concurrency(context)
    manyKeys(context)
    paging(context)
    listing(context)
    searching(context)
    state(context)
    leases(context)
    digests(context)
    damage(context)
    lifecycle(context)
    properties(context)
  })
}
