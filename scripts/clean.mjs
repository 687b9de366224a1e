// Empties what a build makes, so that no file of an earlier source stays behind.
import { rmSync } from 'node:fs'

rmSync(new URL('../dist/', import.meta.url), { recursive: true, force: true })
