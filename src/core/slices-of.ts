/** The values in slices of so many; the last one may be smaller. */
export function slicesOf<T>(values: readonly T[], size: number): T[][] {
  const slices: T[][] = []
  for (let i = 0; i < values.length; i += size) slices.push(values.slice(i, i + size))
  return slices
}
