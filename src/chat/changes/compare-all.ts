import { STAMP_MIN } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { hashOf, markOf } from './mark.ts'
import { viewsOf } from './reading.ts'
import type { Tracked, Tracker } from './tracker.ts'

/**
 * Compares all messages of a conversation with what trackers know of the older ones, and returns for each what
 * is new to it; undefined for one that something happened to meanwhile. Undefined as a whole when a place may
 * lack some of them: that would look like a change.
 */
export async function compareAll(
  store: StrategicStorageManager,
  key: string,
  trackers: readonly Tracker[],
): Promise<readonly (Tracked[] | undefined)[] | undefined> {
  const begun = trackers.map((tracker) => tracker.compare())
  if (begun.every(({ comparison }) => comparison.through === STAMP_MIN))
    return trackers.map(() => [])
  for await (const view of viewsOf(store, key, STAMP_MIN)) {
    if (!view.complete) return undefined
    let isWithin = false
    for (const item of view.items) {
      const hash = hashOf(item.id, markOf(item))
      for (const { comparison } of begun) {
        if (comparison.add(item.position, hash)) isWithin = true
      }
    }
    if (!isWithin) break
  }
  return trackers.map((tracker, i) => tracker.compared(begun[i]!.comparison, begun[i]!.version))
}
