/** A module of Node by its name: loaded when it is asked for, and left alone by bundlers. */
export const nodeBuiltin: typeof process.getBuiltinModule = process.getBuiltinModule
