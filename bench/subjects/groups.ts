/* What `bench/conditions.ts` measures on PostgreSQL, each opened in a process of its own. */
import type { Stamp } from '../../src/core/stamp.ts'
import type { Subject } from '../support/measure.ts'
import { storeOnPostgres } from '../support/store-on-postgres.ts'
import type { Target } from './saves.ts'

export const PLAIN = 'group of a value and an item'
export const CONDITIONAL = 'the same under the stamp of the value'

/** Keys, each used by one call at a time: nobody is faster. */
const KEYS = 200

async function groups(
  { url, directory }: Target,
  name: string,
  isConditional: boolean,
): Promise<Subject> {
  const schema = isConditional ? 'conditional' : 'plain'
  const history = await storeOnPostgres(url, directory, schema, { write: 'idempotent' })
  const { store } = history
  const free: { readonly key: string; stamp: Stamp | undefined }[] = Array.from(
    { length: KEYS },
    (_, i) => ({ key: `${schema}${i}`, stamp: undefined }),
  )
  return {
    name,
    promise: 'primary + wal',
    run: async (_round, i) => {
      const own = free.shift()!
      const { key, stamp } = own
      const condition = stamp === undefined ? { key, absent: true as const } : { key, stamp }
      const { results } = await store.write(
        [
          { kind: 'set', key, value: { count: i } },
          { kind: 'append', key: `${key}/log`, value: { count: i } },
        ],
        isConditional ? { if: [condition] } : {},
      )
      own.stamp = results[0]!.stamp
      free.push(own)
    },
    settle: () => history.flush(),
    close: () => history.close(),
  }
}

export async function plainGroups(target: Target): Promise<Subject> {
  return await groups(target, PLAIN, false)
}

export async function conditionalGroups(target: Target): Promise<Subject> {
  return await groups(target, CONDITIONAL, true)
}
