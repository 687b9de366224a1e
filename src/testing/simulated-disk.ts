import { basename, dirname } from 'node:path'
import type { Disk, DiskEntry, DiskFile, DiskListener, SocketState } from '../core/disk.ts'
import { SimulatedFile } from './simulated-file.ts'
import { resolve } from '../core/options.ts'
import { SIMULATED_DISK_OPTIONS, type SimulatedDiskOptions } from './simulated-disk-options.ts'

interface Directory {
  readonly entries: Map<string, Node>
  /** As they would be found after a crash, when no unsynced change is kept. */
  readonly durable: Map<string, Node>
  modifiedMs: number
}

/** A socket stays where it is when its process dies; nobody listens then. */
class SimulatedSocket {
  readonly isListening: () => boolean

  constructor(isListening: () => boolean) {
    this.isListening = isListening
  }
}

type Node = SimulatedFile | SimulatedSocket | Directory

/** One change of directories that is atomic, and not on the platter yet. */
interface Relink {
  readonly directories: readonly Directory[]
  readonly apply: (entries: (directory: Directory) => Map<string, Node>) => void
}

/** Every call of the disk, so that each can be made to fail. */
export type SimulatedOperation =
  | 'create'
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'size'
  | 'close'
  | 'make-directory'
  | 'list'
  | 'rename'
  | 'remove'
  | 'remove-directory'
  | 'sync-directory'
  | 'exists'
  | 'listen'
  | 'probe'

interface Fault {
  readonly operation: SimulatedOperation
  readonly path: RegExp
  readonly code: string
  skip: number
  times: number
}

/**
 * A disk that can lose power. It keeps what was synced; of everything else any part, in any order.
 * Directories are like files: a new name is safe once its directory was synced.
 *
 * Promises of operations that a crash interrupts never settle: their process is dead.
 */
export class SimulatedDisk implements Disk {
  /** Bytes that all files together may have. */
  capacity: number
  readonly #now: () => number
  readonly #delay: (() => Promise<void>) | undefined
  readonly #root: Directory
  #relinks: Relink[] = []
  #faults: Fault[] = []
  #epoch = 0
  #operationsLeft = Infinity
  readonly #counts = new Map<SimulatedOperation, number>()

  constructor(options: SimulatedDiskOptions = {}) {
    const { now = () => 0, delay, capacity } = resolve('', options, SIMULATED_DISK_OPTIONS)
    this.#now = now
    this.#delay = delay
    this.capacity = capacity
    this.#root = emptyDirectory(0)
  }

  /**
   * The disk as one process sees it: once that process was killed, or all were, nothing answers it.
   * A process that uses the disk itself goes on after a crash.
   */
  attach(): AttachedDisk {
    const epoch = this.#epoch
    let killed = false
    const isDead = (): boolean => killed || epoch !== this.#epoch
    const alive = async <T>(call: () => Promise<T>): Promise<T> => {
      if (isDead()) await never()
      const result = await call()
      if (isDead()) await never()
      return result
    }
    return {
      kill: () => {
        killed = true
      },
      open: async (path, mode) => aliveFile(await alive(() => this.open(path, mode)), alive),
      makeDirectory: (path) => alive(() => this.makeDirectory(path)),
      list: (path) => alive(() => this.list(path)),
      rename: (from, to) => alive(() => this.rename(from, to)),
      remove: (path) => alive(() => this.remove(path)),
      removeDirectory: (path) => alive(() => this.removeDirectory(path)),
      syncDirectory: (path) => alive(() => this.syncDirectory(path)),
      exists: (path) => alive(() => this.exists(path)),
      listen: async (path) => await alive(() => this.#listen(path, () => !isDead())),
      probe: (path) => alive(() => this.probe(path)),
    }
  }

  /** Operations of a kind so far, failed ones included. */
  count(operation: SimulatedOperation): number {
    return this.#counts.get(operation) ?? 0
  }

  /**
   * Makes operations fail from now on: those on matching paths, after `skip` of them, `times` in
   * all. A sync that fails forgets what it should have written. Any number of faults may wait.
   */
  fail(
    operation: SimulatedOperation,
    { path = /./, code = 'EIO', skip = 0, times = 1 }: FaultOptions = {},
  ): void {
    this.#faults.push({ operation, path, code, skip, times })
  }

  /** No fault is left. */
  heal(): void {
    this.#faults = []
  }

  /** After this many operations nothing answers any more, until `crash` or `kill`. */
  stopAfter(operations: number): void {
    this.#operationsLeft = operations
  }

  /** True once `stopAfter` has taken effect. */
  get isStopped(): boolean {
    return this.#operationsLeft <= 0
  }

  /** The machine loses power; what is found afterwards follows from `random`. */
  crash(random: () => number): void {
    this.kill()
    const kept = this.#relinks.filter(() => random() < 0.5)
    this.#relinks = []
    for (const { apply } of kept) apply(({ durable }) => durable)
    restore(this.#root, random)
  }

  /** All processes are killed: the machine goes on and keeps what was written. */
  kill(): void {
    this.#epoch++
    this.#operationsLeft = Infinity
  }

  /** Flips bits in one byte of a file. */
  flip(path: string, offset: number, mask = 1): void {
    this.#file(path).flip(offset, mask)
  }

  /** The bytes of a file as a process reads them. */
  bytes(path: string): Buffer {
    return this.#file(path).bytes()
  }

  /** Replaces a file, durably. */
  put(path: string, bytes: Uint8Array): void {
    const file = new SimulatedFile()
    file.write(bytes, 0)
    file.sync()
    const directory = this.#directory(dirname(path))
    directory.entries.set(basename(path), file)
    directory.durable.set(basename(path), file)
  }

  /** Somebody removes this and all that is in it. Who has a file open keeps it. */
  wipe(path: string): void {
    const directory = this.#directory(dirname(path))
    const node = this.#find(path)
    if (node !== undefined) this.#unlink(directory, basename(path), node)
  }

  /** Paths of all files, sorted. */
  paths(): readonly string[] {
    return [...walk(this.#root, '')].sort()
  }

  async open(path: string, mode: 'create' | 'open'): Promise<DiskFile> {
    return await this.#run(mode, path, () => {
      const directory = this.#directory(dirname(path))
      const name = basename(path)
      let node = directory.entries.get(name)
      if (mode === 'create') {
        if (node !== undefined) throw failure('EEXIST', path)
        const file = new SimulatedFile()
        node = file
        this.#relink([directory], (entries) => entries(directory).set(name, file))
      }
      if (!(node instanceof SimulatedFile)) throw failure('ENOENT', path)
      return this.#handle(node, path)
    })
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#run('make-directory', path, () => {
      let directory = this.#root
      for (const name of partsOf(path)) {
        const existing = directory.entries.get(name)
        if (existing !== undefined && !isDirectory(existing)) throw failure('ENOTDIR', path)
        const parent = directory
        directory = existing ?? emptyDirectory(this.#now())
        if (existing !== undefined) continue
        const made = directory
        this.#relink([parent], (entries) => entries(parent).set(name, made))
      }
    })
  }

  async list(path: string): Promise<readonly DiskEntry[]> {
    return await this.#run('list', path, () =>
      [...this.#directory(path).entries].map(([name, node]): DiskEntry =>
        isDirectory(node)
          ? { name, kind: 'directory', modifiedMs: node.modifiedMs }
          : { name, kind: node instanceof SimulatedFile ? 'file' : 'socket', modifiedMs: 0 },
      ),
    )
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#run('rename', to, () => {
      const source = this.#directory(dirname(from))
      const target = this.#directory(dirname(to))
      const node = source.entries.get(basename(from))
      if (node === undefined) throw failure('ENOENT', from)
      this.#relink([source, target], (entries) => {
        if (entries(source).get(basename(from)) === node) entries(source).delete(basename(from))
        entries(target).set(basename(to), node)
      })
    })
  }

  async remove(path: string): Promise<void> {
    await this.#run('remove', path, () => {
      const directory = this.#directory(dirname(path))
      const node = directory.entries.get(basename(path))
      if (node === undefined || isDirectory(node)) throw failure('ENOENT', path)
      this.#unlink(directory, basename(path), node)
    })
  }

  async removeDirectory(path: string): Promise<void> {
    await this.#run('remove-directory', path, () => {
      const directory = this.#directory(path)
      if (directory.entries.size > 0) throw failure('ENOTEMPTY', path)
      this.#unlink(this.#directory(dirname(path)), basename(path), directory)
    })
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#run('sync-directory', path, () => {
      const directory = this.#directory(path)
      const later: Relink[] = []
      for (const relink of this.#relinks) {
        if (relink.directories.includes(directory)) relink.apply(({ durable }) => durable)
        else later.push(relink)
      }
      this.#relinks = later
    })
  }

  async exists(path: string): Promise<boolean> {
    return await this.#run('exists', path, () => this.#find(path) !== undefined)
  }

  async listen(path: string): Promise<DiskListener> {
    const epoch = this.#epoch
    return await this.#listen(path, () => epoch === this.#epoch)
  }

  async probe(path: string): Promise<SocketState> {
    try {
      return await this.#run('probe', path, () => {
        const node = this.#find(path)
        if (node === undefined) return 'absent'
        return node instanceof SimulatedSocket && node.isListening() ? 'listening' : 'refused'
      })
    } catch {
      return 'unknown'
    }
  }

  async #listen(path: string, isAlive: () => boolean): Promise<DiskListener> {
    return await this.#run('listen', path, () => {
      const directory = this.#directory(dirname(path))
      const name = basename(path)
      if (directory.entries.has(name)) throw failure('EADDRINUSE', path)
      let closed = false
      const socket = new SimulatedSocket(() => !closed && isAlive())
      this.#relink([directory], (entries) => entries(directory).set(name, socket))
      const close = async (): Promise<void> => {
        closed = true
      }
      const remove = async (): Promise<void> => {
        closed = true
        this.#unlink(directory, name, socket)
      }
      return { close, remove }
    })
  }

  #handle(file: SimulatedFile, path: string): DiskFile {
    const run = async <T>(operation: SimulatedOperation, effect: () => T): Promise<T> =>
      await this.#run(
        operation,
        () => this.#pathOf(file) ?? path,
        effect,
        () => file.forgetChanges(),
      )
    return {
      read: (buffer, offset) => run('read', () => file.read(buffer, offset)),
      write: (buffer, offset) => run('write', () => this.#write(file, path, buffer, offset)),
      sync: () => run('sync', () => file.sync()),
      truncate: (size) => run('truncate', () => file.truncate(size)),
      size: () => run('size', () => file.size),
      close: () => run('close', () => {}),
    }
  }

  /** Takes as much as there is room for. */
  #write(file: SimulatedFile, path: string, buffer: Uint8Array, offset: number): number {
    const growth = Math.max(0, offset + buffer.byteLength - file.size)
    const room = this.capacity - this.#usedBytes()
    if (growth > 0 && room <= 0) throw failure('ENOSPC', path)
    const count = growth > room ? buffer.byteLength - (growth - room) : buffer.byteLength
    file.write(buffer.subarray(0, count), offset)
    return count
  }

  /** The effect happens at once, or never: nothing comes between the check and the effect. */
  async #run<T>(
    operation: SimulatedOperation,
    path: string | (() => string),
    effect: () => T,
    onFailedSync?: () => void,
  ): Promise<T> {
    const epoch = this.#epoch
    await this.#delay?.()
    if (epoch !== this.#epoch || this.#operationsLeft-- <= 0) await never()
    this.#counts.set(operation, this.count(operation) + 1)
    if (this.#faults.length > 0) {
      const at = typeof path === 'string' ? path : path()
      const fault = this.#faultFor(operation, at)
      if (fault !== undefined && operation === 'sync') onFailedSync?.()
      if (fault !== undefined) throw failure(fault.code, at)
    }
    return effect()
  }

  #faultFor(operation: SimulatedOperation, path: string): Fault | undefined {
    for (const fault of this.#faults) {
      if (fault.operation !== operation || fault.times === 0 || !fault.path.test(path)) continue
      if (fault.skip-- > 0) continue
      fault.times--
      return fault
    }
    return undefined
  }

  #relink(directories: readonly Directory[], apply: Relink['apply']): void {
    for (const directory of directories) directory.modifiedMs = this.#now()
    apply(({ entries }) => entries)
    this.#relinks.push({ directories, apply })
  }

  #unlink(directory: Directory, name: string, node: Node): void {
    this.#relink([directory], (entries) => {
      if (entries(directory).get(name) === node) entries(directory).delete(name)
    })
  }

  #directory(path: string): Directory {
    let node: Node = this.#root
    for (const name of partsOf(path)) {
      const next: Node | undefined = isDirectory(node) ? node.entries.get(name) : undefined
      if (next === undefined) throw failure('ENOENT', path)
      node = next
    }
    if (!isDirectory(node)) throw failure('ENOTDIR', path)
    return node
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of partsOf(path)) {
      if (node === undefined || !isDirectory(node)) return undefined
      node = node.entries.get(name)
    }
    return node
  }

  #file(path: string): SimulatedFile {
    const node = this.#directory(dirname(path)).entries.get(basename(path))
    if (!(node instanceof SimulatedFile)) throw failure('ENOENT', path)
    return node
  }

  /** Where an open file is now: it may have been renamed. */
  #pathOf(file: SimulatedFile): string | undefined {
    return this.paths().find((path) => this.#file(path) === file)
  }

  #usedBytes(): number {
    let bytes = 0
    for (const path of walk(this.#root, '')) bytes += this.#file(path).size
    return bytes
  }
}

export interface AttachedDisk extends Disk {
  /** Ends this process; the others and the page cache stay. */
  kill(): void
}

type Alive = <T>(call: () => Promise<T>) => Promise<T>

function aliveFile(file: DiskFile, alive: Alive): DiskFile {
  return {
    read: (buffer, offset) => alive(() => file.read(buffer, offset)),
    write: (buffer, offset) => alive(() => file.write(buffer, offset)),
    sync: () => alive(() => file.sync()),
    truncate: (size) => alive(() => file.truncate(size)),
    size: () => alive(() => file.size()),
    close: () => alive(() => file.close()),
  }
}

export interface FaultOptions {
  readonly path?: RegExp
  readonly code?: string
  readonly skip?: number
  readonly times?: number
}

function* walk(directory: Directory, path: string): Iterable<string> {
  for (const [name, node] of directory.entries) {
    if (node instanceof SimulatedFile) yield `${path}/${name}`
    else if (isDirectory(node)) yield* walk(node, `${path}/${name}`)
  }
}

/** What the platter has becomes what is seen. */
function restore(directory: Directory, random: () => number): void {
  directory.entries.clear()
  for (const [name, node] of directory.durable) {
    directory.entries.set(name, node)
    if (node instanceof SimulatedFile) node.crash(random)
    else if (isDirectory(node)) restore(node, random)
  }
}

function isDirectory(node: Node): node is Directory {
  return !(node instanceof SimulatedFile || node instanceof SimulatedSocket)
}

function emptyDirectory(modifiedMs: number): Directory {
  return { entries: new Map(), durable: new Map(), modifiedMs }
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '')
}

async function never(): Promise<never> {
  return await new Promise<never>(() => {})
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
