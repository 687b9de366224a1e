/** Names of what an import reads, in the order in which they are recognised. */
export const IMPORT_FORMATS = [
  'everthread',
  'chatgpt',
  'claude',
  'open-webui',
  'librechat',
  'sharegpt',
  'langchain',
  'ai-sdk',
  'openai-items',
  'openai-messages',
] as const

export type ImportFormat = (typeof IMPORT_FORMATS)[number]

/** An object of a file that nothing is known of yet. */
export type Fields = Readonly<Record<string, unknown>>

/** A message as it goes to the store, unchecked; its id is given later. */
export type Draft = Fields

/** A message that is not imported on purpose; the words complete "left out: 3 …". */
export interface LeftOut {
  readonly leftOut: string
}

/** One place of a conversation, which in some formats is a tree. */
export interface SourceNode {
  /** Its name in the tree. */
  readonly key: string
  /** The key of the node before it; of none that is there at a beginning. */
  readonly parent: string | undefined
  /** The id that the message keeps; without one it is named by its place in the file. */
  readonly id?: unknown
  /** The message as the file has it; undefined where the tree has a place without one. */
  readonly raw: unknown
}

export interface SourceConversation {
  /** Kept when it is a text that the store takes; otherwise an id is made of the messages. */
  readonly id: unknown
  /** What is known of the conversation as a whole, such as its title. */
  readonly info: Fields
  /** In the order of the file. */
  readonly nodes: readonly SourceNode[]
  /** The key of the last node of the active path. */
  readonly current?: string | undefined
  /** Names of fields that were not looked at. */
  readonly ignored: readonly string[]
}

/** A form that other programs write conversations in. */
export interface Format {
  readonly name: ImportFormat
  readonly isConversation: (value: unknown) => boolean
  /** For forms in which a bare list of messages is a conversation. */
  readonly isMessage?: (value: unknown) => boolean
  /** @throws BadLine */
  readonly conversation: (value: unknown) => SourceConversation
  /** @throws BadLine */
  readonly message: (raw: Fields, index: number) => Draft | LeftOut
}

export function isLeftOut(value: Draft | LeftOut): value is LeftOut {
  return typeof value['leftOut'] === 'string'
}
