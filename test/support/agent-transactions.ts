import type { AgentInputItem, SessionHistoryTransactionArgs } from '@openai/agents-core'

/** Three items of one step. */
export function itemsOf(step: number): AgentInputItem[] {
  return ['a', 'b', 'c'].map((name) => ({ role: 'user', content: `${name} ${step}` }))
}

/** The transaction that replaces those of one step by those of the next. */
export function replacement(step: number): SessionHistoryTransactionArgs {
  const transaction = {
    type: 'replace_suffix',
    expectedSuffix: itemsOf(step),
    replacement: itemsOf(step + 1),
  } as const
  return { operationId: `step ${step}`, transaction }
}
