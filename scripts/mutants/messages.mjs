/* Messages in the shapes of providers, and what becomes of them for others. */

const ITEMS = ['test/store/items.test.ts']
const CONVERT = ['src/chat/convert/convert.test.ts']

export const MESSAGE_MUTANTS = [
  {
    name: 'a window shows what a model thought and not what it led to',
    file: 'src/chat/window/read-window.ts',
    edits: [['|| message.use.leads === true) continue', ') continue']],
    tests: ITEMS,
  },
  {
    name: 'a window begins behind what the model thought',
    file: 'src/chat/turns/led-messages.ts',
    edits: [['this.#led.push(message)\n', '']],
    tests: ITEMS,
  },
  {
    name: 'retention cuts between what a model thought and what it led to',
    file: 'src/chat/turns/turn-starts.ts',
    edits: [[' && uses[i - 1]?.leads !== true', '']],
    tests: ITEMS,
  },
  {
    name: 'an item without a role is read as damaged',
    file: 'src/chat/codec.ts',
    edits: [
      [
        "return typeof body['role'] === 'string' || typeof body['type'] === 'string'",
        "return typeof body['role'] === 'string'",
      ],
    ],
    tests: ITEMS,
  },
  {
    name: 'a call without a result is sent to a provider',
    file: 'src/chat/convert/steps.ts',
    edits: [['else if (each.result !== undefined)', 'else if (each.result !== null)']],
    tests: CONVERT,
  },
  {
    name: 'a result answers the first call of its id, not the nearest before it',
    file: 'src/chat/convert/pair-results.ts',
    edits: [
      [
        "if (each.kind === 'call' && each.id !== undefined) this",
        "if (each.kind === 'call' && each.id !== undefined && !this.#calls.has(each.id)) this",
      ],
    ],
    tests: CONVERT,
  },
  {
    name: 'two calls of one id go to Anthropic',
    file: 'src/chat/convert/to-anthropic.ts',
    edits: [['for (let n = 2; this.#ids.has(own); n++)', 'for (let n = 2; n < 2; n++)']],
    tests: CONVERT,
  },
]
