import { type Program, type ProgramStep } from './program.ts'

/** Runs that one shrinking may take. */
const RUNS_MAX = 400
/** What real processes do has luck in it: a program counts as one that fails if it does once in so many runs. */
const TRIES = 4

export interface ShrunkProgram {
  readonly program: Program
  readonly runs: number
}

/** Leaves steps out for as long as the program still fails. No single step can be left out of the result. */
export async function shrinkProgram(
  program: Program,
  fails: (program: Program) => Promise<boolean>,
  runsMax: number = RUNS_MAX,
): Promise<ShrunkProgram> {
  let best = program
  let runs = 0
  const isFailing = async (candidate: Program): Promise<boolean> => {
    for (let i = 0; i < TRIES && runs < runsMax; i++) {
      runs++
      if (await fails(candidate)) return true
    }
    return false
  }
  let size = Math.ceil(stepsOf(best).length / 2)
  while (runs < runsMax && size > 0) {
    const before = stepsOf(best).length
    for (let at = 0; at < stepsOf(best).length && runs < runsMax;) {
      const candidate = without(best, at, size)
      if (await isFailing(candidate)) best = candidate
      else at += size
    }
    if (size > 1) size = Math.ceil(size / 2)
    else if (stepsOf(best).length === before) break
  }
  return { program: best, runs }
}

/** The numbers of these steps alone; `keepSteps` makes the same program of them again. */
function stepsOf({ rounds }: Program): readonly ProgramStep[] {
  return rounds.flat()
}

/** The program with only the steps of these numbers. */
export function keepSteps(program: Program, keep: ReadonlySet<number>): Program {
  let at = 0
  const rounds = program.rounds
    .map((round) => round.filter(() => keep.has(at++)))
    .filter((round) => round.length > 0)
  return { ...program, rounds }
}

/** Which steps of the whole program are left, by their numbers. */
export function keptOf(program: Program, whole: Program): readonly number[] {
  const kept = new Set(stepsOf(program))
  return stepsOf(whole).flatMap((step, i) => (kept.has(step) ? [i] : []))
}

function without(program: Program, at: number, size: number): Program {
  const count = stepsOf(program).length
  const keep = Array.from({ length: count }, (_, i) => i).filter((i) => i < at || i >= at + size)
  return keepSteps(program, new Set(keep))
}
