import type { ReplicaBackend } from '../../../src/backend/replica-backend.ts'
import { conversationKey } from '../../../src/chat/keys.ts'
import type { Item } from '../../../src/core/merge.ts'
import { PAGE_ITEMS_MAX } from '../../../src/core/limits.ts'

/** All visible items of a conversation that one database holds, in its own order. */
export async function placeContents(
  backend: ReplicaBackend,
  conversationId: string,
  tenant = '',
): Promise<readonly Item[]> {
  const key = conversationKey(tenant, conversationId)
  const items: Item[] = []
  for (;;) {
    const after = items.at(-1)?.position
    const page = await backend.readItems({
      key,
      limit: PAGE_ITEMS_MAX,
      order: 'oldest',
      ...(after !== undefined && { after }),
    })
    items.push(...page.items)
    if (page.done) return items
  }
}
