import { readStrategyConformance } from '../../src/testing/read-strategy-conformance.ts'

readStrategyConformance({ name: 'primary-first', read: 'primary-first' })
readStrategyConformance({ name: 'failover', read: 'failover' })
readStrategyConformance({
  name: 'primary-first, empty counts as failure',
  read: { type: 'primary-first', config: { treatEmptyAsFailure: true } },
})
readStrategyConformance({
  name: 'cache-enhanced in one process',
  read: { type: 'cache-enhanced', config: { singleProcess: true, windowSize: 5 } },
})
