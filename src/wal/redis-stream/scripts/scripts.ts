import { APPEND_LUA, MARK_LUA, UNMARK_LUA } from './append-lua.ts'
import { ERASE_LUA, SCAN_LUA } from './erase-lua.ts'
import { OPEN_LUA } from './open-lua.ts'
import {
  CLAIM_LUA,
  FETCH_LUA,
  LETTERS_LUA,
  PENDING_LUA,
  POLL_LUA,
  REFUSED_LUA,
  RESOLVE_LUA,
  TOUCH_LUA,
  WRITERS_LUA,
} from './read-lua.ts'
import { ACKNOWLEDGE_LUA, QUARANTINE_LUA, RESEND_LUA, RETRY_LUA } from './settle-lua.ts'

/** A script of a partition, without what all of them begin with. */
export interface StreamScript {
  readonly name: string
  readonly lua: string
  /** True when a lost answer leaves open whether anything was changed. */
  readonly writes: boolean
}

const loaded: StreamScript[] = []

function define(name: string, lua: string, writes = true): StreamScript {
  const script = { name, lua, writes }
  loaded.push(script)
  return script
}

/** Called by its text, since it runs before anything is known; all others by their hash. */
export const OPEN: StreamScript = { name: 'open', lua: OPEN_LUA, writes: true }
export const APPEND: StreamScript = define('append', APPEND_LUA)
export const MARK: StreamScript = define('mark', MARK_LUA)
export const UNMARK: StreamScript = define('unmark', UNMARK_LUA)
export const ACKNOWLEDGE: StreamScript = define('acknowledge', ACKNOWLEDGE_LUA)
export const QUARANTINE: StreamScript = define('quarantine', QUARANTINE_LUA)
export const RESEND: StreamScript = define('resend', RESEND_LUA)
export const RETRY: StreamScript = define('retry', RETRY_LUA)
export const PENDING: StreamScript = define('pending', PENDING_LUA, false)
export const RESOLVE: StreamScript = define('resolve', RESOLVE_LUA, false)
export const FETCH: StreamScript = define('fetch', FETCH_LUA, false)
export const CLAIM: StreamScript = define('claim', CLAIM_LUA)
export const REFUSED: StreamScript = define('refused', REFUSED_LUA, false)
export const LETTERS: StreamScript = define('letters', LETTERS_LUA, false)
export const TOUCH: StreamScript = define('touch', TOUCH_LUA)
export const POLL: StreamScript = define('poll', POLL_LUA, false)
export const WRITERS: StreamScript = define('writers', WRITERS_LUA)
export const SCAN: StreamScript = define('scan', SCAN_LUA, false)
export const ERASE: StreamScript = define('erase', ERASE_LUA)

/** All that are called by their hash. */
export const LOADED: readonly StreamScript[] = loaded
