import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deltaChannelHistoryTests, validate } from '@langchain/langgraph-checkpoint-validation'
import { EverthreadSaver } from '../../src/adapters/langgraph.ts'
import type { ChatHistory } from '../../src/index.ts'

// The framework's suite takes them from there. Other files of tests run in processes of their own.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it })

let tenants = 0

/** The suite of the framework for savers: 710 tests, and 8 of delta channels. Each saver is a tenant of its own. */
export function checkpointerSuite(name: string, history: () => ChatHistory): void {
  const initializer = {
    checkpointerName: name,
    createCheckpointer: () => new EverthreadSaver(history().forTenant(`suite ${++tenants}`)),
  }
  validate(initializer)
  deltaChannelHistoryTests(initializer)
}
