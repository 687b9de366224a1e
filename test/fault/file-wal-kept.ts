/** Entries that the writer process never acknowledges: the latest ones. */
export const KEPT = 500
