/* Items of OpenAI's Responses and Conversations. Those that are no messages have no role. */

/** What a message item may have as content when it is given to the model. */
export type ResponsesInputPart =
  | { type: 'input_text'; text: string }
  | {
      type: 'input_image'
      image_url?: string | null
      file_id?: string | null
      detail?: 'low' | 'high' | 'auto'
    }
  | {
      type: 'input_file'
      file_data?: string
      file_id?: string | null
      file_url?: string
      filename?: string
    }
  | { type: 'input_audio'; input_audio: { data: string; format: 'wav' | 'mp3' } }

/** What a message item of the model has as content. */
export type ResponsesOutputPart =
  | { type: 'output_text'; text: string; annotations: unknown[]; logprobs?: unknown[] }
  | { type: 'refusal'; refusal: string }

/** How far an item has come. */
export type ResponsesStatus = 'in_progress' | 'completed' | 'incomplete'

/** A message that is given to the model. */
export interface ResponsesInputMessage {
  type?: 'message'
  id?: string
  role: 'user' | 'system' | 'developer' | 'assistant'
  content: string | ResponsesInputPart[]
  status?: ResponsesStatus
}

/** A message of the model. */
export interface ResponsesOutputMessage {
  type: 'message'
  id?: string
  role: 'assistant'
  content: ResponsesOutputPart[]
  status: ResponsesStatus
}

/** A message item: it has a role. */
export type ResponsesMessage = ResponsesInputMessage | ResponsesOutputMessage

/** What the model thought. It goes with the item right behind it. */
export interface ResponsesReasoning {
  type: 'reasoning'
  id?: string
  summary: { type: 'summary_text'; text: string }[]
  content?: { type: 'reasoning_text'; text: string }[]
  encrypted_content?: string | null
  status?: ResponsesStatus
}

/** A call of a function. */
export interface ResponsesFunctionCall {
  type: 'function_call'
  id?: string
  call_id: string
  name: string
  arguments: string
  status?: ResponsesStatus
}

/** What a function answered. */
export interface ResponsesFunctionCallOutput {
  type: 'function_call_output'
  id?: string | null
  call_id: string
  output: string | ResponsesInputPart[]
  status?: ResponsesStatus | null
}

/** A call of a tool that takes text. */
export interface ResponsesCustomToolCall {
  type: 'custom_tool_call'
  id?: string
  call_id: string
  name: string
  input: string
}

/** What a tool that takes text answered. */
export interface ResponsesCustomToolCallOutput {
  type: 'custom_tool_call_output'
  id?: string
  call_id: string
  output: string | ResponsesInputPart[]
}

/** Items of tools that are built in, with the fields that each of them has. */
export interface ResponsesBuiltInItem {
  type:
    | 'web_search_call'
    | 'file_search_call'
    | 'code_interpreter_call'
    | 'image_generation_call'
    | 'computer_call'
    | 'computer_call_output'
    | 'local_shell_call'
    | 'local_shell_call_output'
    | 'shell_call'
    | 'shell_call_output'
    | 'apply_patch_call'
    | 'apply_patch_call_output'
    | 'mcp_call'
    | 'mcp_list_tools'
    | 'mcp_approval_request'
    | 'mcp_approval_response'
    | 'compaction'
    | 'item_reference'
  id?: string | null
  [field: string]: unknown
}

/** An item of OpenAI's Responses: a message, or what has no role. */
export type ResponsesItem =
  | ResponsesMessage
  | ResponsesReasoning
  | ResponsesFunctionCall
  | ResponsesFunctionCallOutput
  | ResponsesCustomToolCall
  | ResponsesCustomToolCallOutput
  | ResponsesBuiltInItem
