import { median, type Row, type Sample } from './measure.ts'

/** One of several things that are measured in turn, each in its own way. */
export interface Case {
  readonly name: string
  readonly promise: string
  readonly concurrency: number
  /** Round -1 is the warm-up. */
  measure(round: number): Promise<Sample>
}

/** Measures the cases in turn (A B C A B C …). The ratios are those to the first one. */
export async function interleave(cases: readonly Case[], rounds: number): Promise<Row[]> {
  const samples = new Map<Case, Sample[]>(cases.map((each) => [each, []]))
  for (const each of cases) await each.measure(-1)
  for (let round = 0; round < rounds; round++) {
    for (const each of cases) samples.get(each)!.push(await each.measure(round))
  }
  const base = samples.get(cases[0]!)!
  return cases.map((each) => {
    const own = samples.get(each)!
    return {
      name: each.name,
      promise: each.promise,
      concurrency: each.concurrency,
      rate: median(own.map(({ rate }) => rate)),
      p50: median(own.map(({ p50 }) => p50)),
      p99: median(own.map(({ p99 }) => p99)),
      ratio: median(own.map(({ rate }, i) => rate / base[i]!.rate)),
      p50Ratio: median(own.map(({ p50 }, i) => p50 / base[i]!.p50)),
    }
  })
}
