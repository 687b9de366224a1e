/*
 * The file of a database, by its path alone. On POSIX a process that closes any descriptor of a file
 * loses all of its locks on it, also those that SQLite holds (fcntl(2); "How To Corrupt An SQLite
 * Database File", 2.2). Another process then takes itself for the last user and removes the `-wal`
 * under the living one. So nothing but SQLite ever opens the file, its `-wal` or its `-shm`.
 */
import { randomUUID } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { makeDirectorySync } from '../../../core/node-make-directory.ts'
import type { SqliteDatabase, SqliteDriver } from './driver.ts'

const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/** Of the name under which a file is made; a random text follows. */
const NEW = '.new-'

/**
 * Opens a file, made with mode 0600 if it is new; those beside it (`-wal`, `-shm`) get its mode from
 * SQLite. An existing file keeps its own.
 */
export function openDatabaseFile(driver: SqliteDriver, path: string): SqliteDatabase {
  const directory = dirname(path)
  const firstMade = makeDirectorySync(directory, DIRECTORY_MODE)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) throw folderThere(path)
  if (found === undefined) makeFile(path)
  // SQLite says of a file that it may not open no more than that it cannot.
  else accessSync(path, constants.R_OK | constants.W_OK)
  if (found !== undefined && found.nlink > 1) removeFirstName(path, found.ino)
  const database = driver.open(path)
  try {
    // It has the mode already, unless SQLite had to make it.
    if (found === undefined) chmodSync(path, FILE_MODE)
    syncDirectories(directory, firstMade)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function folderThere(path: string): Error {
  return Object.assign(new Error(`EISDIR: a folder is there, open '${path}'`), { code: 'EISDIR' })
}

/**
 * Another thread may open the file as soon as it has its name, so its descriptor is closed before
 * that. Where no link can be made (some file systems, a symbolic link to nothing) SQLite makes it.
 */
function makeFile(path: string): void {
  const unnamed = `${path}${NEW}${randomUUID()}`
  writeFileSync(unnamed, '', { flag: 'wx', mode: FILE_MODE })
  try {
    linkSync(unnamed, path)
  } catch {
    // Or somebody else was faster.
  } finally {
    rmSync(unnamed, { force: true })
  }
}

/** A process that was killed while it made the file left it under both names. */
function removeFirstName(path: string, inode: number): void {
  const start = `${basename(path)}${NEW}`
  for (const name of readdirSync(dirname(path)).filter((each) => each.startsWith(start))) {
    const other = join(dirname(path), name)
    if (statSync(other, { throwIfNoEntry: false })?.ino === inode) rmSync(other, { force: true })
  }
}

/** A new name is durable once its directory is synced; from the deepest up to the first made. */
function syncDirectories(deepest: string, firstMade: string | undefined): void {
  const last = firstMade === undefined ? deepest : dirname(firstMade)
  for (let directory = deepest; ; directory = dirname(directory)) {
    const fd = openSync(directory, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    if (directory === last || directory === dirname(directory)) return
  }
}
