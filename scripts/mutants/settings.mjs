// Settings of the simulation that mutants of several parts need.
export const OUTAGES = { faults: ['primary-down', 'backup-down', 'both-down', 'partition', 'kill'] }
export const CLOCKS = {
  skewMs: 500,
  faults: ['clock', 'primary-down', 'backup-down', 'partition', 'kill'],
}
