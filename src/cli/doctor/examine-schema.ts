import type { SchemaState } from '../../backend/replica-backend.ts'
import type { Findings } from './finding.ts'

/** Whether a database has the schema of this release. True if it does: only then its tables can be looked at. */
export function examineSchema({ version, migrations }: SchemaState, found: Findings): boolean {
  const known = migrations.length
  if (version === 0)
    found.note('new', 'there are no tables yet: they are made when it is first opened')
  else if (version < known) {
    found.warn(
      'old-schema',
      `its schema is version ${version}, this release has ${known}`,
      'everthread migrate, or open the store, which does it too',
    )
  } else if (version > known) {
    found.fail(
      'too-old',
      `its schema is version ${version}, this release knows up to ${known}`,
      'upgrade everthread',
    )
  }
  return version === known
}
