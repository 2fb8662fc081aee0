import type { RunnerOperation } from '../../src/contract/runner-methods.ts'
import type { MessageContext } from '../../src/plugin/plugin-context.ts'
import type { PluginDefinition } from '../../src/plugin/plugin-definition.ts'
import { rejectMissing, undeclaredMessageNotice } from '../declared-operations.ts'
import type { ValueOperation } from '../loaded-plugin.ts'
import { createInputCheck } from './input-check.ts'

/**
 * The messages that may come: those that plugin.toml declares.
 *
 * @throws StartRefused where the code lacks one of them
 */
export function matchMessages(
  { messages = {} }: PluginDefinition,
  declared: readonly RunnerOperation[] = [],
): { messages: Map<string, ValueOperation>; notices: string[] } {
  const types = Object.keys(messages)
  rejectMissing(types, declared, 'messages')
  const matched = declared.map((message): [string, ValueOperation] => {
    const { name } = message
    const run = async (payload: unknown, context: unknown): Promise<void> => {
      await messages[name]!(payload, context as MessageContext)
    }
    return [name, { takes: 'value', run, checkInput: createInputCheck(message) }]
  })
  const undeclared = types.filter((type) => !declared.some(({ name }) => name === type))
  return { messages: new Map(matched), notices: undeclared.map(undeclaredMessageNotice) }
}
