/*
 * The SQLite files that this process has open, and by which library. Two libraries know nothing of each
 * other's locks, and when one closes a file the locks of both are gone. It is kept beside the globals
 * of the process, so that two copies of this package share it. Each thread has its own.
 */
import { realpathSync, statSync } from 'node:fs'
import { StorageError } from '../../../core/errors.ts'

interface OpenFile {
  readonly library: string
  readonly path: string
  connections: number
}

type Global = typeof globalThis & { [OPEN_FILES]?: Map<string, OpenFile> }

const OPEN_FILES = Symbol.for('everthread.sqlite.openFiles')

/** By device and inode, which are one file's own for as long as it is open. */
function openFiles(): Map<string, OpenFile> {
  return ((globalThis as Global)[OPEN_FILES] ??= new Map())
}

/**
 * Opens nothing itself, so it drops no lock.
 *
 * @throws StorageError `UNSUPPORTED` when another library has the file open in this process, or when
 *   it is open under another name: the `-wal` beside a file goes by its name.
 */
export function checkMayOpen(library: string, path: string): void {
  const file = openFiles().get(fileIdOf(path) ?? '')
  if (file === undefined) return
  if (file.library !== library) {
    const text = `${path} is open in this process by ${file.library}: ${library} would drop its locks`
    throw new StorageError('UNSUPPORTED', text)
  }
  if (file.path !== realpathSync(path)) {
    const text = `${path} is open in this process as ${file.path}: a SQLite file must have one name`
    throw new StorageError('UNSUPPORTED', text)
  }
}

/** A connection to the file was opened. Returns what to call when it is closed. */
export function noteOpened(library: string, path: string): () => void {
  const files = openFiles()
  const id = fileIdOf(path)
  if (id === undefined) return () => {}
  const file = files.get(id) ?? { library, path: realpathSync(path), connections: 0 }
  files.set(id, file)
  file.connections++
  return () => {
    file.connections--
    if (file.connections === 0) files.delete(id)
  }
}

/** What this thread has open now. */
export function notedFiles(): readonly { readonly path: string; readonly inode: number }[] {
  return [...openFiles()].map(([id, { path }]) => ({ path, inode: Number(id.split(':')[1]) }))
}

/** Device and inode; undefined where nothing is. */
export function fileIdOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat && `${stat.dev}:${stat.ino}`
}
