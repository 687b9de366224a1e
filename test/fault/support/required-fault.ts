/** Says that a fault cannot be injected here. With REQUIRE_FAULTS=1 that is a failure. */
export function leaveOut(fault: string, reason: string): void {
  const text = `SKIPPED: ${fault}: ${reason}`
  if (process.env['REQUIRE_FAULTS'] === '1') throw new Error(text)
  console.log(text)
}
