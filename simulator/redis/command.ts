import type { DataSet } from './data-set.ts'
import { RedisError, type Reply } from './reply.ts'

/** A command of the server: what it does with its arguments, without its name. */
export interface Command {
  readonly run: (data: DataSet, args: readonly string[]) => Reply
  /** Default: it only reads. `grows`: it is refused when memory is at its limit. */
  readonly writes?: 'grows' | 'shrinks'
}

/** By name; a command that has several is in it with each of them. */
export type CommandTable = Readonly<Record<string, Command>>

/** An argument that must be there. */
export function at(args: readonly string[], index: number): string {
  const value = args[index]
  if (value === undefined) throw new RedisError('ERR wrong number of arguments')
  return value
}

export function integerOf(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new RedisError('ERR value is not an integer or out of range')
  return Number(text)
}

/** By their bytes, as the server orders names. */
export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** `[name, value, name, value, …]` as pairs. */
export function pairsOf(args: readonly string[]): readonly (readonly [string, string])[] {
  if (args.length % 2 !== 0) throw new RedisError('ERR wrong number of arguments')
  return Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i]!, args[2 * i + 1]!])
}
