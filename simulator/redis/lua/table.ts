export type LuaFunction = (...args: LuaValue[]) => LuaValue[]
/** Nil is undefined. A string has one character for each byte. */
export type LuaValue = undefined | boolean | number | string | LuaTable | LuaFunction

/** A table: a list from 1 on, and anything else. */
export class LuaTable {
  readonly list: LuaValue[]
  readonly #others = new Map<LuaValue, LuaValue>()

  constructor(list: LuaValue[] = []) {
    this.list = list
    this.#cut()
  }

  get(key: LuaValue): LuaValue {
    return this.#isInList(key) ? this.list[(key as number) - 1] : this.#others.get(key)
  }

  set(key: LuaValue, value: LuaValue): void {
    const { list } = this
    if (key === undefined) throw new Error('table index is nil')
    if (this.#isInList(key)) {
      list[(key as number) - 1] = value
      this.#cut()
    } else if (key === list.length + 1 && value !== undefined) {
      list.push(value)
      this.#gather()
    } else if (value === undefined) this.#others.delete(key)
    else this.#others.set(key, value)
  }

  #isInList(key: LuaValue): boolean {
    return typeof key === 'number' && key >= 1 && key <= this.list.length && Number.isInteger(key)
  }

  /** A list ends before its first nil from behind. */
  #cut(): void {
    while (this.list.length > 0 && this.list.at(-1) === undefined) this.list.pop()
  }

  #gather(): void {
    while (this.#others.size > 0) {
      const next = this.list.length + 1
      const value = this.#others.get(next)
      if (value === undefined) return
      this.#others.delete(next)
      this.list.push(value)
    }
  }
}
