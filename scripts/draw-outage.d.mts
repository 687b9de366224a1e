/** What the demo printed of its messages and of its counts: lost, stored twice, moved, back after a clear. */
export interface Demo {
  readonly messages: readonly {
    readonly conversation: string
    readonly savedWhile: string
    readonly copies: readonly string[]
    readonly places: readonly string[]
  }[]
  readonly counts: readonly (readonly number[])[]
}

export function readDemo(output: string): Demo
export function drawOutage(demo: Demo): string
