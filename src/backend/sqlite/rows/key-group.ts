/** SQL: the group (`../../key-group.ts`) of the column `key`. A migration has it: it is never changed. */
export const GROUP = `substr(key, 1,
    instr(key, ':') + CAST(substr(key, instr(key, '/') + 1) AS INTEGER))`
