import type { ReplicaBackend } from '../src/backend/replica-backend.ts'
import { STAMP_MAX, STAMP_MIN } from '../src/core/stamp.ts'

/** What a database holds, as text; a removal is the same whatever position its remover had read. */
export async function contentsOf(backend: ReplicaBackend): Promise<string> {
  const lines: string[] = []
  for await (const operation of backend.scan({ from: STAMP_MIN, to: STAMP_MAX })) {
    const isRemoval = operation.kind === 'put' && operation.change === 'remove'
    lines.push(JSON.stringify(isRemoval ? { ...operation, position: '', stamp: '' } : operation))
  }
  return lines.sort().join('\n')
}
