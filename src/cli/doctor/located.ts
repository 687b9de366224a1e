/** Where a place keeps its data: two places at the same spot are lost together. */
export interface Located {
  /** The disk of this machine that it is on; undefined for one that a server has. */
  readonly disk: string | undefined
  /** The server process that keeps it; undefined where it is none, or not known. */
  readonly server: string | undefined
  /** The database itself: two places must not share one. */
  readonly database: string
  readonly isDurable: boolean
}
