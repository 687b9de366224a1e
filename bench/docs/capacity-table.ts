/** What the table of capacity is computed from: figures of `bench/capacity.ts`. */
export interface CapacityFigures {
  readonly savesPerSecondOfNode: number
  readonly savesPerSecondOfPrimary: number
  readonly logBytesOfMessage: number
  readonly databaseLogBytesOfMessage: number
  readonly databaseBytesOfMessage: number
}

/** What nobody should load more than. */
export const USE_MAX = 0.6
const LOADS = [100, 1_000, 10_000, 100_000, 1_000_000]
const DAY_SECONDS = 86_400

/** Nodes, primaries and bytes for a load, with room to spare. */
export function capacityRows(figures: CapacityFigures): readonly (readonly string[])[] {
  return LOADS.map((load) => {
    const nodes = Math.ceil(load / (USE_MAX * figures.savesPerSecondOfNode))
    const primaries = Math.ceil(load / (USE_MAX * figures.savesPerSecondOfPrimary))
    const perDay = load * DAY_SECONDS * figures.databaseBytesOfMessage
    return [
      load.toLocaleString('en-US'),
      String(nodes),
      String(primaries),
      mebibytes((load / nodes) * figures.logBytesOfMessage),
      mebibytes((load / primaries) * figures.databaseLogBytesOfMessage),
      (perDay / 2 ** 30).toLocaleString('en-US', { maximumFractionDigits: 0 }),
    ]
  })
}

export const CAPACITY_HEAD: readonly string[] = [
  'saves/s',
  'nodes',
  'primaries',
  'log of a node, MiB/s',
  'log of a primary, MiB/s',
  'all primaries, GiB/day',
]

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
