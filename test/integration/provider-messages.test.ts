// Goal: messages of every provider are kept to the letter on every engine, under ids of a kibibyte, and come
// back beside each other. Method: what the providers' APIs give is saved with one place after the other
// refused, so that each engine is read alone.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MESSAGE_ID_BYTES_MAX } from '../../src/core/limits.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { replicaEngines } from '../support/replica-engines.ts'

const ENGINES = replicaEngines(postgresUrl)

/** As the providers give them: what stands in an array has a role, what is alone has none. */
const GIVEN: Readonly<Record<string, string>> = {
  'OpenAI, a chat completion':
    '[{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{ \\"a\\": 1.0 }"}}]}]',
  'OpenAI, without a content':
    '[{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"f","input":"x"}}]}]',
  'OpenAI, a sound': '[{"role":"assistant","audio":{"id":"audio_1"}}]',
  'OpenAI, a function of before': '[{"role":"function","name":"f","content":"1"}]',
  'Responses, a message':
    '[{"type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"\\ud83d","annotations":[{"start":0,"end":1e+21}],"logprobs":[]}]}]',
  'Responses, a critic': '[{"type":"message","role":"critic","content":[]}]',
  'Responses, reasoning':
    '{"type":"reasoning","summary":[],"encrypted_content":"gAAAA==","status":null}',
  'Responses, a call': '{"arguments":"{}","call_id":"c","name":"f","type":"function_call"}',
  'Responses, a result':
    '{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"1"}]}',
  'Responses, a search':
    '{"type":"web_search_call","action":{"type":"search","queries":["a"]},"status":"completed"}',
  'Anthropic, blocks':
    '[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqQB"},{"type":"tool_use","id":"t","name":"f","input":{"z":1,"a":-1e-7},"caller":{"type":"direct"}}]}]',
  'AI SDK, a UI message':
    '[{"role":"assistant","metadata":{"n":0.1},"parts":[{"type":"step-start"},{"type":"tool-f","toolCallId":"c","state":"input-streaming","rawInput":"{\\"a"}]}]',
  'Gemini, a content':
    '[{"role":"model","parts":[{"text":"a","thought":true},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"x"}]}]',
  'Gemini, a result':
    '[{"parts":[{"functionResponse":{"name":"f","response":{"__proto__":1}}}],"role":"user"}]',
  'LangChain, stored':
    '{"type":"ai","data":{"content":"","tool_calls":[{"name":"f","args":{},"id":"c"}],"invalid_tool_calls":[]}}',
}

interface Rig {
  readonly history: ChatHistory
  readonly readAlone: (place: 'primary' | 'backup') => void
}

async function rig(open: () => Promise<ReplicaBackend>): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-shapes-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const primary = faultyBackend(await open())
  const backup = faultyBackend(await open())
  const history = await openChatHistory({ primary, backup, wal: `file:${join(folder, 'wal')}` })
  onTestFinished(() => history.close())
  return {
    history,
    readAlone: (place) => {
      const other = place === 'primary' ? backup : primary
      other.setMode('refused')
    },
  }
}

function withoutOurs(message: object): string {
  const { id: _id, createdAt: _createdAt, ...rest } = message as Record<string, unknown>
  return JSON.stringify(rest)
}

describe.each(ENGINES)('on $name', ({ open }) => {
  test.each(['primary', 'backup'] as const)(
    'each shape comes back to the letter, read from the %s',
    async (place) => {
      const { history, readAlone } = await rig(open)
      for (const [i, text] of Object.values(GIVEN).entries()) {
        const given = JSON.parse(text) as object
        const id = `${i}`.padStart(2, '0') + 'é'.repeat(MESSAGE_ID_BYTES_MAX / 2 - 1)
        const [message] = Array.isArray(given) ? (given as object[]) : [given]
        if (Array.isArray(given)) await history.saveMessage('c', { ...message, id } as never)
        else await history.saveItems('c', [{ ...message, id } as never])
      }
      await history.flush()
      readAlone(place)
      const { messages } = await history.getHistory('c')
      expect(messages.map(withoutOurs)).toEqual(
        Object.values(GIVEN).map((text) => text.replace(/^\[|\]$/g, '')),
      )
    },
  )

  test('ids of a kibibyte are ids: repeats are one, other contents are conflicts', async () => {
    const { history } = await rig(open)
    const ids = ['a', 'b'].map((last) => '😀'.repeat(MESSAGE_ID_BYTES_MAX / 4 - 1) + last.repeat(4))
    for (const id of [...ids, ...ids])
      await history.saveItems('c', [{ id, type: 'reasoning', text: id }])
    const other = history.saveItems('c', [{ id: ids[0]!, type: 'reasoning', text: 'other' }])
    await expect(other).rejects.toMatchObject({ code: 'CONFLICT', effect: 'none' })
    const tooLong = history.saveItems('c', [{ id: `${ids[0]}x`, type: 'reasoning' }])
    await expect(tooLong).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
    await history.updateMessage('c', ids[1]!, { type: 'reasoning', text: 'edited' })
    await history.deleteMessage('c', ids[0]!)
    expect(await history.getHistory('c')).toMatchObject({
      messages: [{ id: ids[1], text: 'edited' }],
    })
    await history.flush()
    expect(await history.verify()).toMatchObject({
      missingInPrimary: 0,
      missingInBackup: 0,
      differing: 0,
    })
  })
})
