/* Messages in the shapes of providers, and what becomes of them for others. */

const ITEMS = ['test/store/items.test.ts']
const CONTENT = ['test/store/content.test.ts']
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
  // ---- content
  {
    name: 'content with a missing chunk is a short picture',
    file: 'src/chat/content/read-content.ts',
    edits: [
      ['if (chunk === undefined) throw missing(ref, complete)', 'if (chunk === undefined) return'],
    ],
    tests: CONTENT,
  },
  {
    name: 'content is not held against its hash',
    file: 'src/chat/content/read-content.ts',
    edits: [["hash.digest('hex') === sha256", "hash.digest('hex') !== ''"]],
    tests: CONTENT,
  },
  {
    name: 'a reference may begin after the mark that content goes',
    file: 'src/chat/content/content-head.ts',
    edits: [['find(({ isDoomed }) => !isDoomed)', 'find(() => true)']],
    tests: CONTENT,
  },
  {
    name: 'an erase takes content that another conversation refers to',
    file: 'src/chat/content/content-cleaner.ts',
    edits: [['if (refs.has(ref)) return true', '']],
    tests: CONTENT,
  },
  {
    name: 'content is removed while a place that may refer to it is away',
    file: 'src/chat/content/content-cleaner.ts',
    edits: [['  if (complete) return\n', '  if (complete || !complete) return\n']],
    tests: CONTENT,
  },
  {
    name: 'the name of encrypted content is its bare hash',
    file: 'src/chat/content/contents.ts',
    edits: [['keyed.length === 0 ?', 'keyed.length >= 0 ?']],
    tests: CONTENT,
  },
  {
    name: 'an upload that fails leaves its chunks',
    file: 'src/chat/content/contents.ts',
    edits: [['if (uploaded === undefined) await this.#drop(chunks)', '']],
    tests: CONTENT,
  },
]
