export { EverthreadSaver } from './langgraph/saver.ts'
export type { PrunedThread, PruneOptions } from './langgraph/prune.ts'
export { EverthreadStore } from './langgraph/store.ts'
export type { EverthreadStoreOptions } from './langgraph/store.ts'
