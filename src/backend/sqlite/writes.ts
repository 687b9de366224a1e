/* What an engine changes, by the names of its calls: each is one transaction. */
export { indexItems } from './search/index-items.ts'
export { makeIndex, mendIndex, mendIndexed } from './search/index-tables.ts'
export { lease, removeHints, trust } from './upkeep/lease-table.ts'
export { mendFile, mendOwners } from './upkeep/parts.ts'
export { repairRows as repair } from './upkeep/repair.ts'
