/*
 * What the adapter inherits of Mastra's base class, without the package: it needs a newer Node than the oldest that
 * is supported here. `test/adapters/heavy-mastra.test.ts` has the true one.
 */

/** Stands in for the class of this name in `@mastra/core/storage`. */
export class MemoryStorage {
  protected parseOrderBy(
    { field = 'createdAt', direction }: { field?: string; direction?: string } = {},
    defaultDirection = 'DESC',
  ): { field: string; direction: string } {
    return { field, direction: direction ?? defaultDirection }
  }

  protected validateMetadataKeys(metadata: object = {}): void {
    const bad = Object.keys(metadata).find((name) => !/^[a-z_]\w*$/i.test(name))
    if (bad !== undefined) throw new Error(`Invalid metadata key: ${bad}`)
  }

  protected validatePaginationInput(page: number, perPage: number | false): void {
    const isValid = perPage === false ? page === 0 : perPage >= 0 && page >= 0
    if (!isValid) throw new Error('invalid page')
  }
}
