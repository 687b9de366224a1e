/*
 * A process that runs one hot path and prints where its thread spent its time, as JSON. Its arguments
 * are the name of the path, how many run at a time, and the target as JSON.
 */
import { Session } from 'node:inspector/promises'
import * as paths from '../subjects/paths.ts'
import type { Target } from '../subjects/saves.ts'
import { sample, SAMPLE_SECONDS } from './measure.ts'
import { areasOf } from './profile-areas.ts'

/** Microseconds between two looks at the stack. */
const INTERVAL_US = 250

const [name, concurrency, target] = process.argv.slice(2)
const extent = { seconds: SAMPLE_SECONDS }
const subject = await paths[name as keyof typeof paths](JSON.parse(target!) as Target)
await sample(subject, -1, Number(concurrency), { seconds: 2 * SAMPLE_SECONDS })

const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
await session.post('Profiler.start')
await sample({ ...subject, settle: async () => {} }, 0, Number(concurrency), extent)
const { profile } = await session.post('Profiler.stop')
console.log(JSON.stringify(areasOf(profile)))
await subject.close()
process.exit()
