// How far columns that are written seldom may lag behind what they tell of.

/** How far `touched` may lag. Milliseconds. */
export const COARSE_MS = 60_000

/**
 * How far `latest` may lag. Milliseconds. Longer, a busy conversation has its row written less often;
 * shorter, fewer conversations are gone through to find the latest ones.
 */
export const LATEST_MS = 1_000
