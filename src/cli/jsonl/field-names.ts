/** What OpenAI's chat form calls a field, and what we call it. All other fields have one name. */
const FIELD_NAMES: readonly {
  readonly openai: string
  readonly own: string
  /** Only a value of this kind is the field that both mean; any other is kept as it came. */
  readonly accepts: (value: unknown) => boolean
}[] = [
  { openai: 'tool_calls', own: 'toolCalls', accepts: Array.isArray },
  { openai: 'tool_call_id', own: 'toolCallId', accepts: (value) => typeof value === 'string' },
]

export type FieldForm = 'openai' | 'own'

/**
 * The fields of a message with the names of the other form, in the same order. A field keeps its
 * name when the message has the other one too, so nothing is ever overwritten.
 */
export function renameFields(
  fields: readonly (readonly [string, unknown])[],
  to: FieldForm,
): [string, unknown][] {
  const from = to === 'own' ? 'openai' : 'own'
  const present = new Set(fields.map(([name]) => name))
  return fields.map(([name, value]) => {
    const rule = FIELD_NAMES.find((names) => names[from] === name)
    return rule !== undefined && !present.has(rule[to]) && rule.accepts(value)
      ? [rule[to], value]
      : [name, value]
  })
}
