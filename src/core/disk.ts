/** One open file. Offsets are absolute: nothing depends on a hidden file position. */
export interface DiskFile {
  /** Reads up to `buffer.length` bytes; fewer only at the end of the file. Returns the count. */
  read(buffer: Uint8Array, offset: number): Promise<number>
  /** Writes at an offset. May write fewer bytes than asked: the caller checks the count. */
  write(buffer: Uint8Array, offset: number): Promise<number>
  /**
   * `write` and `sync` of these bytes in one call, where the system has one (O_DSYNC of open(2)):
   * what it returned as written is on stable storage.
   */
  writeSynced?(buffer: Uint8Array, offset: number): Promise<number>
  /** fdatasync(2): the data, and the metadata needed to read it, are on stable storage. */
  sync(): Promise<void>
  truncate(size: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

/** One entry of a folder. */
export interface DiskEntry {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'socket' | 'other'
  readonly modifiedMs: number
}

/** A Unix domain socket that this process listens at, as long as it lives. */
export interface DiskListener {
  /** Ends it. Its name stays, and refuses. */
  close(): Promise<void>
  /** Ends it and removes its name, wherever its directory is by now. */
  remove(): Promise<void>
}

/**
 * What the kernel says of the process that made a socket. `listening`: it lives, be it stopped, in another
 * pid or network namespace. `refused`: it has ended, or runs on another kernel. `absent`: there is no such
 * name. `unknown`: asking failed.
 */
export type SocketState = 'listening' | 'refused' | 'absent' | 'unknown'

/** The file system as the WAL sees it; replaced by a simulated disk in tests. */
export interface Disk {
  /** `create` fails when the file exists; `open` when it does not. Files are made with mode 0600. */
  open(path: string, mode: 'create' | 'open'): Promise<DiskFile>
  /** Makes the directory with mode 0700, parents included. Existing is fine. */
  makeDirectory(path: string): Promise<void>
  /** Rejects with an error whose `code` is `ENOENT` when the directory is absent. */
  list(path: string): Promise<readonly DiskEntry[]>
  rename(from: string, to: string): Promise<void>
  /** Removes one file. */
  remove(path: string): Promise<void>
  /** Removes one empty directory. */
  removeDirectory(path: string): Promise<void>
  /** fsync(2) of a directory: its entries, new and removed ones, are on stable storage. */
  syncDirectory(path: string): Promise<void>
  /** True when something has this name. */
  exists(path: string): Promise<boolean>
  /**
   * Makes a socket and listens at it. It has its name only once it answers. Rejects where the system or the
   * file system has none.
   */
  listen(path: string): Promise<DiskListener>
  /** Asks the kernel whether somebody listens. Never rejects. */
  probe(path: string): Promise<SocketState>
}
