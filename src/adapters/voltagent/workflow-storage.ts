import { isDeepStrictEqual } from 'node:util'
import { isStorageError, StorageError } from '../../core/errors.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { adapterPrefix, entriesOf } from '../adapter-parts.ts'
import { asJson, collect, nameOf } from '../beside-messages.ts'
import type { VoltAgentRunQuery, VoltAgentWorkflowState } from './types.ts'

/** What is known of a run without reading it. */
interface RunNote extends Pick<VoltAgentWorkflowState, 'status' | 'userId'> {
  readonly key: string
  readonly createdAt: number
}

/** What a `StorageAdapter` keeps of workflows: the state of each run under its id. */
export class WorkflowStorage {
  readonly #store: StrategicStorageManager
  readonly #prefix: string

  /** The store is connected and closed by the caller. */
  constructor(store: StrategicStorageManager, tenant: string) {
    this.#store = store
    this.#prefix = adapterPrefix(tenant, 'voltagent')
  }

  /** The state of a run; null when there is no such run. */
  async getWorkflowState<State = VoltAgentWorkflowState>(
    executionId: string,
  ): Promise<State | null> {
    const state = await this.#store.get<VoltAgentWorkflowState>(this.#runKey(executionId))
    return state === undefined ? null : (withDates(state) as object as State)
  }

  /** Reads a note of each run of the workflow, or of all runs, and then those that it wants. */
  async queryWorkflowRuns<State = VoltAgentWorkflowState>(
    query: VoltAgentRunQuery,
  ): Promise<State[]> {
    const { status, from, to, userId, metadata, limit, offset = 0 } = query
    const notes = (await this.#runNotes(query.workflowId))
      .filter((note) => !status || note.status === status)
      .filter((note) => from === undefined || note.createdAt >= from.getTime())
      .filter((note) => to === undefined || note.createdAt <= to.getTime())
      .filter((note) => !userId || note.userId === userId)
      .toSorted((a, b) => b.createdAt - a.createdAt)
    const end = limit ? offset + limit : undefined
    if (metadata === undefined) return await this.#runs<State>(notes.slice(offset, end))
    const states = await this.#runs<VoltAgentWorkflowState>(notes)
    const wanted = Object.entries(asJson('query.metadata', metadata))
    const found = states.filter(({ metadata: stored = {} }) => {
      return wanted.every(([name, value]) => {
        return Object.hasOwn(stored, name) && isDeepStrictEqual(stored[name], value)
      })
    })
    return found.slice(offset, end) as object[] as State[]
  }

  /** Keeps what JSON makes of the state; it comes back with its times as `Date`. */
  async setWorkflowState(executionId: string, state: VoltAgentWorkflowState): Promise<void> {
    await this.#store.mset(this.#runEntries(executionId, state))
  }

  /**
   * Changes fields. Of several at once each sees what the others changed.
   *
   * @throws StorageError `NOT_FOUND` when there is no such run.
   */
  async updateWorkflowState(
    executionId: string,
    updates: Partial<VoltAgentWorkflowState>,
  ): Promise<void> {
    const store = this.#store
    const key = this.#runKey(executionId)
    for (;;) {
      const entry = await store.getEntry<VoltAgentWorkflowState>(key)
      if (entry === undefined) {
        throw new StorageError('NOT_FOUND', `workflow run ${JSON.stringify(executionId)} not found`)
      }
      const updatedAt = new Date(store.now())
      const state = { ...withDates(entry.value), ...updates, updatedAt }
      const changes = this.#runEntries(executionId, state).map(([name, value]) => {
        return { kind: 'set', key: name, value } as const
      })
      try {
        await store.write(changes, { if: [{ key, stamp: entry.stamp }] })
        return
      } catch (error) {
        // Another update was faster: this one goes on top of it.
        if (!isStorageError(error, 'CONFLICT') || error.effect !== 'none') throw error
      }
    }
  }

  /** Suspended runs of a workflow, the oldest first. */
  async getSuspendedWorkflowStates<State = VoltAgentWorkflowState>(
    workflowId: string,
  ): Promise<State[]> {
    return (await this.queryWorkflowRuns<State>({ workflowId, status: 'suspended' })).reverse()
  }

  async #runNotes(workflowId: string | undefined): Promise<readonly RunNote[]> {
    const prefix = this.#runNotesPrefix(workflowId)
    const entries = await collect(entriesOf<RunNote>(this.#store, prefix))
    return entries.map(({ value }) => value)
  }

  async #runs<State>(notes: readonly RunNote[]): Promise<State[]> {
    const keys = notes.map(({ key }) => key)
    const states = await this.#store.mget<VoltAgentWorkflowState>(keys)
    return keys.flatMap((key) => {
      const state = states[key]
      return state === undefined ? [] : [withDates(state) as object as State]
    })
  }

  /** The state, and what finds it without reading it. */
  #runEntries(executionId: string, state: VoltAgentWorkflowState): [string, unknown][] {
    const key = this.#runKey(executionId)
    const { workflowId, status, userId } = state
    const createdAt = new Date(state.createdAt).getTime()
    const note: RunNote = { key, status, createdAt, ...(userId !== undefined && { userId }) }
    return [
      [key, asJson('state', state)],
      [this.#runNotesPrefix(workflowId) + nameOf(executionId), note],
    ]
  }

  #runKey(executionId: string): string {
    return `${this.#prefix}run/${nameOf(executionId)}`
  }

  #runNotesPrefix(workflowId: string | undefined): string {
    return `${this.#prefix}runs/${workflowId ? `${nameOf(workflowId)}/` : ''}`
  }
}

/** The times of a state, which JSON has as text. */
function withDates(state: VoltAgentWorkflowState): VoltAgentWorkflowState {
  const { suspension, cancellation } = state as {
    suspension?: { suspendedAt?: string }
    cancellation?: { cancelledAt?: string }
  }
  return {
    ...state,
    createdAt: new Date(state.createdAt),
    updatedAt: new Date(state.updatedAt),
    ...(suspension?.suspendedAt && {
      suspension: { ...suspension, suspendedAt: new Date(suspension.suspendedAt) },
    }),
    ...(cancellation?.cancelledAt && {
      cancellation: { ...cancellation, cancelledAt: new Date(cancellation.cancelledAt) },
    }),
  }
}
