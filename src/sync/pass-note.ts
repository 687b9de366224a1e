/*
 * What a process leaves with the lease for the next one: when the passes were, and how far one got
 * that was interrupted. It saves work and nothing else: without it, everything is compared again.
 */
import { STAMP_MAX, type Stamp } from '../core/stamp.ts'

/** A pass over everything that is under way, or was. */
export interface UnfinishedPass {
  /** Everything below is done. */
  readonly reached: Stamp
  /** Unix milliseconds. */
  readonly startedMs: number
  /** Of the databases that it compared. */
  readonly primary: string
  readonly backup: string
}

export interface PassNote {
  /** When the last pass over everything ended. Unix milliseconds. */
  readonly fullMs?: number
  /** When the last pass over the recent window ended. */
  readonly recentMs?: number
  /** How far recent passes have come. Unix milliseconds of positions. */
  readonly recentToMs?: number
  readonly unfinished?: UnfinishedPass
}

const STAMP = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** An unreadable note is an empty one. */
export function parseNote(text: string | undefined): PassNote {
  if (text === undefined) return {}
  let note: unknown
  try {
    note = JSON.parse(text)
  } catch {
    return {}
  }
  if (typeof note !== 'object' || note === null) return {}
  const fields = note as Readonly<Record<string, unknown>>
  const unfinished = unfinishedIn(fields['unfinished'])
  return {
    ...numberIn(fields, 'fullMs'),
    ...numberIn(fields, 'recentMs'),
    ...numberIn(fields, 'recentToMs'),
    ...(unfinished !== undefined && { unfinished }),
  }
}

function numberIn<Name extends string>(
  fields: Readonly<Record<string, unknown>>,
  name: Name,
): { readonly [key in Name]?: number } {
  const value = fields[name]
  return (Number.isFinite(value) ? { [name]: value } : {}) as { readonly [key in Name]?: number }
}

function unfinishedIn(value: unknown): UnfinishedPass | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { reached, startedMs, primary, backup } = value as Readonly<Record<string, unknown>>
  if (typeof reached !== 'string' || !STAMP.test(reached) || reached > STAMP_MAX) return undefined
  if (!Number.isFinite(startedMs)) return undefined
  if (typeof primary !== 'string' || typeof backup !== 'string') return undefined
  return { reached: reached as Stamp, startedMs: startedMs as number, primary, backup }
}
