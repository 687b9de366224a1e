/*
 * A process that measures what one factory opens, alone, as an application would run it: code and heap
 * of other subjects are not in it. Its arguments are the module of the factory, its name and its
 * parameter as JSON. It sends the names of its subjects, answers each request with a sample, and ends
 * when the channel is closed.
 */
import { messageOf } from '../../src/core/errors.ts'
import { sample, type Extent, type Sample, type Subject } from './measure.ts'

export interface SampleRequest {
  /** Which of its subjects. */
  readonly index: number
  readonly round: number
  readonly concurrency: number
  readonly extent: Extent
}

export type SubjectAnswer =
  | { readonly opened: readonly { readonly name: string; readonly promise: string }[] }
  | { readonly sample: Sample }
  | { readonly error: string }

type Factory = (parameter: unknown) => Promise<Subject | readonly Subject[]>

const [modulePath, factoryName, parameter] = process.argv.slice(2)

async function open(): Promise<readonly Subject[]> {
  const factories = (await import(modulePath!)) as Record<string, Factory>
  return [await factories[factoryName!]!(JSON.parse(parameter!))].flat()
}

async function answer(work: () => Promise<SubjectAnswer>): Promise<void> {
  let found: SubjectAnswer
  try {
    found = await work()
  } catch (error) {
    found = { error: messageOf(error) }
  }
  if (process.connected) process.send!(found)
}

const opening = open()
process.on('message', (request: SampleRequest) => {
  void answer(async () => {
    const subject = (await opening)[request.index]!
    return { sample: await sample(subject, request.round, request.concurrency, request.extent) }
  })
})
process.once('disconnect', () => {
  // Some libraries keep timers and connections of their own: what was measured has been sent.
  void opening
    .then((subjects) => Promise.all(subjects.map((subject) => subject.close())))
    .finally(() => process.exit())
})
void answer(async () => {
  const subjects = await opening
  return { opened: subjects.map(({ name, promise }) => ({ name, promise })) }
})
